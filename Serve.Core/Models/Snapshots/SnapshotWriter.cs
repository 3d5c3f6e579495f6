using Serve.Core.Errors;
using Serve.Core.Observability;

namespace Serve.Core.Models.Snapshots;

/// <summary>
/// Makes changes durable. Each waits until a snapshot that has it is on the disk; those that come while one is written
/// share the next.
/// </summary>
/// <param name="folder">Where they go; null: changes are not kept.</param>
/// <param name="capture">Everything that holds now.</param>
internal sealed class SnapshotWriter(SnapshotFolder? folder, Func<RegistrySnapshot> capture)
{
    private readonly SemaphoreSlim _turn = new(1);
    private long _changes;
    private long _written;

    /// <summary>Returns when a snapshot with the change that was just made is on the disk.</summary>
    /// <exception cref="InternalServerException">It could not be written: the change holds, but not after a restart.</exception>
    public async Task SaveAsync()
    {
        if (folder is null) return;

        var change = Interlocked.Increment(ref _changes);
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            if (_written >= change) return;

            var upTo = Volatile.Read(ref _changes);
            await Task.Run(() => folder.Write(capture())).ConfigureAwait(false);
            _written = upTo;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            ServeMetrics.SnapshotFailures.Inc();
            throw new InternalServerException($"The change was made, but it could not be saved (snapshotFolder) and will be lost when the server restarts: {error.Message}", error);
        }
        finally
        {
            _turn.Release();
        }
    }
}
