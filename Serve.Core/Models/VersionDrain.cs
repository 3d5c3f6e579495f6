using Microsoft.Extensions.Logging;
using Serve.Core.Workers;

namespace Serve.Core.Models;

/// <summary>
/// The end of a version: what it has accepted is finished, then its workers leave. Each step has a limit of its own further
/// down; if one takes long all the same, the log says what is waited for, so that nobody has to guess.
/// </summary>
/// <param name="scheduler">Its requests.</param>
/// <param name="pool">Its workers.</param>
/// <param name="time">The clock.</param>
/// <param name="log">The version's log.</param>
internal sealed partial class VersionDrain(InferenceScheduler scheduler, WorkerPool pool, TimeProvider time, ILogger log)
{
    // Longer than a worker takes that is told to leave, killed when it does not, and given up when it stays nevertheless.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>Waits until every request that was accepted is answered, at most so long.</summary>
    public async Task FinishAsync(TimeSpan limit)
    {
        try
        {
            await scheduler.WhenIdle().WaitAsync(limit, time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            Log.TimedOut(log, limit.TotalSeconds, scheduler.PendingRequests);
        }
    }

    /// <summary>Waits until the workers have left, and with the last of them every request. The scheduler is closed: none comes any more.</summary>
    /// <param name="workersLeft">Completes when they have.</param>
    public async Task EndAsync(Task workersLeft)
    {
        await WaitAsync(workersLeft, "its workers to leave").ConfigureAwait(false);
        await WaitAsync(scheduler.WhenIdle(), "its last requests to be answered").ConfigureAwait(false);
    }

    private async Task WaitAsync(Task step, string what)
    {
        var started = time.GetTimestamp();
        await using var telling = time.CreateTimer(_ => Tell(what, time.GetElapsedTime(started)), null, Patience, Patience).ConfigureAwait(false);
        await step.ConfigureAwait(false);
    }

    private void Tell(string what, TimeSpan took)
    {
        var workers = string.Join(", ", pool.Tails(0).Select(static worker => $"{worker.Id} ({worker.State}, pid {worker.Pid})"));
        Log.TakesLong(log, what, took.TotalSeconds, scheduler.PendingRequests, workers);
    }

    private static partial class Log
    {
        [LoggerMessage(22, LogLevel.Warning, "{Pending} requests were not finished within {Seconds:0.0} s (drainTimeout)", EventName = "DrainTimedOut")]
        public static partial void TimedOut(ILogger log, double seconds, int pending);

        [LoggerMessage(27, LogLevel.Warning, "it is leaving, and has waited for {What} for {Seconds:0} s: {Pending} requests are not answered; workers: {Workers}", EventName = "DrainTakesLong")]
        public static partial void TakesLong(ILogger log, string what, double seconds, int pending, string workers);
    }
}
