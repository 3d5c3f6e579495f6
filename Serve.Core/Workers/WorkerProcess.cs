using System.ComponentModel;
using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Serve.Core.Workers;

/// <summary>The operating system's process of one worker: there or not yet, ended or not, and how it ended. Safe from any thread.</summary>
/// <param name="worker">The worker's id, for the log.</param>
/// <param name="time">The clock.</param>
/// <param name="log">Where it logs.</param>
internal sealed partial class WorkerProcess(string worker, TimeProvider time, ILogger log) : IDisposable
{
    // .NET reports the end by signal N as 128 + N.
    private const int KilledExitCode = 128 + 9;

    private static readonly TimeSpan LastLines = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(2);

    private readonly TaskCompletionSource _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Process? _process;

    /// <summary>Whether it was started.</summary>
    public bool IsStarted => _process is not null;

    /// <summary>Completes when it has ended and what it wrote has been read.</summary>
    public Task Exited => _exited.Task;

    /// <summary>It was started.</summary>
    /// <param name="process">It is this object's from here on.</param>
    public void Started(Process process)
    {
        _process = process;
        _ = WatchAsync(process);
    }

    /// <summary>Kills it, also a stopped one. Nothing happens where there is none, or none any more.</summary>
    public void Kill()
    {
        try
        {
            _process?.Kill();
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception)
        {
            // It has exited already, or has become another user's: whoever waits for its end gives up after a while.
        }
    }

    /// <summary>How it ended, if that is so within a moment: one that ends by itself closes its socket before it does.</summary>
    /// <returns>Null: it was not started, or goes on.</returns>
    public async Task<ProcessEnd?> EndsSoonAsync()
    {
        if (_process is not { } process) return null;
        try
        {
            await _exited.Task.WaitAsync(Soon, time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            return null;
        }

        var code = process.ExitCode;
        return new ProcessEnd(Describe(code), code == KilledExitCode);
    }

    /// <summary>Forgets it; it has ended, or was never started.</summary>
    public void Dispose() => _process?.Dispose();

    // Its last lines belong before the word of its end; but a process that a handler has started may hold its output open.
    private async Task WatchAsync(Process process)
    {
        var exited = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        process.EnableRaisingEvents = true;
        process.Exited += (_, _) => exited.TrySetResult();
        if (process.HasExited) exited.TrySetResult();
        await exited.Task.ConfigureAwait(false);
        try
        {
            await process.WaitForExitAsync().WaitAsync(LastLines, time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            Log.OutputStaysOpen(log, worker);
        }

        _exited.TrySetResult();
    }

    private static string Describe(int exitCode) => exitCode switch
    {
        KilledExitCode => "it was killed (signal 9)",
        139 => "it crashed (signal 11, segmentation fault)",
        134 => "it aborted (signal 6)",
        > 128 and < 160 => $"it ended by signal {exitCode - 128}",
        _ => $"it exited with code {exitCode}",
    };

    private static partial class Log
    {
        [LoggerMessage(7, LogLevel.Warning, "worker {Worker} has ended, but a process that it started holds its output open")]
        public static partial void OutputStaysOpen(ILogger log, string worker);
    }
}

/// <summary>How a process ended.</summary>
/// <param name="Text">For people.</param>
/// <param name="WasKilled">By signal 9.</param>
internal readonly record struct ProcessEnd(string Text, bool WasKilled);
