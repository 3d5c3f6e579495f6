using System.Diagnostics;
using Serve.LoadGenerator.Measurement;

namespace Serve.LoadGenerator.Load;

/// <summary>
/// A load that runs, on threads of its own, from its start until it is disposed; what it sees is taken in windows. Between
/// stretches it can be paused: loads that are compared take turns, each with its connections.
/// </summary>
public sealed class LoadRun : IDisposable
{
    private readonly LoadThread[] _threads;
    private bool _isRunning;
    private long _windowStart;
    private TimeSpan _cpu;

    /// <exception cref="ArgumentException">The options are no load.</exception>
    public LoadRun(LoadOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Clients > 0 == options.ArrivalsPerSecond > 0) throw new ArgumentException("A load has either clients or arrivals per second.", nameof(options));
        Options = options;
        var threads = Math.Max(1, options.Clients > 0 ? Math.Min(options.Threads, options.Clients) : options.Threads);
        _threads = [.. Enumerable.Range(0, threads).Select(number => new LoadThread(options, number, threads))];
    }

    /// <summary>What it was made with.</summary>
    public LoadOptions Options { get; }

    /// <summary>Begins, or goes on after <see cref="Pause"/>; a window begins too.</summary>
    /// <exception cref="InvalidOperationException">It runs.</exception>
    public void Start()
    {
        if (_isRunning) throw new InvalidOperationException("The load runs already.");
        _isRunning = true;
        (_windowStart, _cpu) = (Stopwatch.GetTimestamp(), Environment.CpuUsage.TotalTime);
        foreach (var thread in _threads) thread.Start();
    }

    /// <summary>What was seen since the start or the last call. An answer counts where it ends.</summary>
    /// <exception cref="InvalidOperationException">The load has failed, for a reason that is no server's.</exception>
    public LoadWindow TakeWindow()
    {
        var window = new LoadWindow(Options.Targets.Count);
        long backlog = 0;
        foreach (var thread in _threads)
        {
            var part = thread.TakeWindow();
            window.Add(part);
            backlog += part.Backlog;
        }

        window.Backlog = backlog;
        var (now, cpu) = (Stopwatch.GetTimestamp(), Environment.CpuUsage.TotalTime);
        (window.Elapsed, window.Cpu) = (Stopwatch.GetElapsedTime(_windowStart, now), cpu - _cpu);
        (_windowStart, _cpu) = (now, cpu);
        return window;
    }

    /// <summary>
    /// How long each request has been under way that has arrived and has no answer yet: from its scheduled arrival, in a closed
    /// loop since it was sent. Its latency will be at least that.
    /// </summary>
    public LatencyHistogram Unanswered()
    {
        var ages = new LatencyHistogram();
        foreach (var thread in _threads) ages.Add(thread.Unanswered());
        return ages;
    }

    /// <summary>Sends nothing new, waits until what is under way was answered or took too long, and keeps the connections.</summary>
    /// <returns>What was seen since the start or the last window.</returns>
    /// <exception cref="InvalidOperationException">It does not run, or has failed for a reason that is no server's.</exception>
    public LoadWindow Pause()
    {
        if (!_isRunning) throw new InvalidOperationException("The load does not run.");
        _isRunning = false;
        foreach (var thread in _threads) thread.Hold();
        foreach (var thread in _threads) thread.WaitUntilItRests();
        return TakeWindow();
    }

    /// <summary>How many threads it has.</summary>
    public int Threads => _threads.Length;

    /// <summary>Sends nothing new and waits for the last answers, a few seconds at most.</summary>
    public void Dispose()
    {
        foreach (var thread in _threads) thread.Dispose();
    }
}
