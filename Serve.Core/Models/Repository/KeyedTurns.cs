namespace Serve.Core.Models.Repository;

/// <summary>Lets work on one name happen after the work on the same name that was asked for before.</summary>
internal sealed class KeyedTurns
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Task> _last = new(StringComparer.Ordinal);

    /// <summary>Does the work when its turn comes. What the work before it came to does not matter.</summary>
    public async Task<T> RunAsync<T>(string name, Func<Task<T>> work)
    {
        var mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task before;
        lock (_gate)
        {
            before = _last.GetValueOrDefault(name) ?? Task.CompletedTask;
            _last[name] = mine.Task;
        }

        await before.ConfigureAwait(false);
        try
        {
            return await work().ConfigureAwait(false);
        }
        finally
        {
            lock (_gate)
            {
                if (_last[name] == mine.Task) _last.Remove(name);
            }

            mine.SetResult();
        }
    }
}
