namespace Serve.Tests.EndToEnd;

/// <summary>The lines that a server writes: kept, shown in the running test's output, and waited for.</summary>
internal sealed class ServerLog
{
    private readonly Lock _gate = new();
    private readonly List<string> _lines = [];
    private readonly List<(Func<string, bool> Matches, TaskCompletionSource<string> Found)> _waiting = [];
    private ITestOutputHelper? _output;
    private bool _closed;

    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_gate) return [.. _lines];
        }
    }

    public void ShowIn(ITestOutputHelper output)
    {
        lock (_gate)
        {
            _output = output;
            foreach (var line in _lines) Show(line);
        }
    }

    public void Add(string? line)
    {
        if (line is null) return;
        lock (_gate)
        {
            _lines.Add(line);
            Show(line);
            foreach (var (matches, found) in _waiting) if (matches(line)) found.TrySetResult(line);
            _waiting.RemoveAll(wait => wait.Found.Task.IsCompleted);
        }
    }

    /// <summary>The first line that matches, of those there and those to come.</summary>
    public async Task<string> WaitForAsync(Func<string, bool> matches, TimeSpan patience)
    {
        var found = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (_lines.FirstOrDefault(matches) is { } line) return line;
            if (_closed) throw Ended();
            _waiting.Add((matches, found));
        }

        try
        {
            return await found.Task.WaitAsync(patience);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"The server did not log what the test waits for within {patience.TotalSeconds} s. Its log:\n{string.Join('\n', Lines)}");
        }
    }

    /// <summary>The server has ended: nobody need wait any more.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _closed = true;
            foreach (var (_, found) in _waiting) found.TrySetException(Ended());
            _waiting.Clear();
        }
    }

    private InvalidOperationException Ended() => new($"The server has ended. Its log:\n{string.Join('\n', _lines)}");

    private void Show(string line)
    {
        try
        {
            _output?.WriteLine(line);
        }
        catch (InvalidOperationException)
        {
            // The test that showed the log is over.
            _output = null;
        }
    }
}
