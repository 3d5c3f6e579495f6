using System.Collections.Concurrent;
using System.Diagnostics;

namespace Serve.Core.Workers;

/// <summary>
/// Starts all worker processes on one thread that lives as long as the frontend. Linux delivers a worker's
/// PR_SET_PDEATHSIG when the <em>thread</em> that forked it ends: a worker that was started by a thread-pool thread is
/// killed as soon as the pool retires that thread.
/// </summary>
public sealed class WorkerSpawner : IDisposable
{
    private readonly BlockingCollection<(ProcessStartInfo Start, TaskCompletionSource<Process> Started)> _jobs = [];

    /// <summary>Starts the thread.</summary>
    public WorkerSpawner()
    {
        var thread = new Thread(Run) { IsBackground = true, Name = "serve-spawner" };
        thread.Start();
    }

    /// <summary>Starts a process.</summary>
    /// <param name="start">What to start.</param>
    /// <returns>The running process; faulted with what the operating system said.</returns>
    public Task<Process> StartAsync(ProcessStartInfo start)
    {
        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        _jobs.Add((start, started));
        return started.Task;
    }

    /// <summary>Takes no more jobs. The thread stays: it ends with the process, after every worker.</summary>
    public void Dispose() => _jobs.CompleteAdding();

    private void Run()
    {
        foreach (var (start, started) in _jobs.GetConsumingEnumerable())
        {
            try
            {
                var process = new Process { StartInfo = start, EnableRaisingEvents = true };
                process.Start();
                started.SetResult(process);
            }
            catch (Exception e)
            {
                started.SetException(e);
            }
        }

        // Workers may still be draining; see above why this thread must outlive them.
        Thread.Sleep(Timeout.Infinite);
    }
}
