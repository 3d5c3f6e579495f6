using Microsoft.Extensions.Logging;
using Serve.Core.Errors;
using Serve.Core.Observability;

namespace Serve.Core.Models.Snapshots;

/// <summary>
/// Makes changes durable. Each waits until a snapshot that has it is on the disk; those that come while one is written
/// share the next. A disk that is busy with others' files may take many seconds over it, which the log says: nothing else tells
/// why the management API is slow.
/// </summary>
/// <param name="folder">Where they go; null: changes are not kept.</param>
/// <param name="capture">Everything that holds now.</param>
/// <param name="time">The clock.</param>
/// <param name="log">Where it logs.</param>
internal sealed partial class SnapshotWriter(SnapshotFolder? folder, Func<RegistrySnapshot> capture, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan Notable = TimeSpan.FromSeconds(2);

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
            var started = time.GetTimestamp();
            await Task.Run(() => folder.Write(capture())).ConfigureAwait(false);
            _written = upTo;
            if (time.GetElapsedTime(started) is var took && took >= Notable) Log.TookLong(log, took.TotalSeconds);
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

    private static partial class Log
    {
        [LoggerMessage(41, LogLevel.Warning, "it took {Seconds:0.0} s until a change of the management API was on the disk (snapshotFolder); others waited for it", EventName = "SnapshotTookLong")]
        public static partial void TookLong(ILogger log, double seconds);
    }
}
