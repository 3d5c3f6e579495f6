using Microsoft.Extensions.Logging;
using Polly;
using Polly.Retry;
using Serve.Core.Configuration;
using Serve.Core.Models;

namespace Serve.Core.Workers;

/// <summary>
/// One place in a pool, filled by one worker after another. A worker that served and then died is replaced at once; one
/// that failed to start is tried again with exponential backoff and jitter; after <c>maxRetries</c> failures in a row, or
/// <c>maxRetryTimeout</c>, or one that cannot be mended by trying, the place is Failed. It then probes now and then, and at
/// once when it is revived. A worker that somebody else killed while it started says nothing about the model: it does not
/// count towards <c>maxRetries</c>, only towards the time.
/// </summary>
internal sealed partial class WorkerPlace
{
    private static readonly TimeSpan FirstBackoff = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan BackoffAfterKill = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan FirstProbe = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongestProbe = TimeSpan.FromMinutes(10);

    private readonly Func<PooledWorker> _create;
    private readonly WorkerSpawner _spawner;
    private readonly ModelConfiguration _configuration;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly Action _changed;
    private readonly ResiliencePipeline<WorkerEnd> _retry;
    private readonly CancellationTokenSource _stop = new();
    private TaskCompletionSource _settled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _revived = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _streakStarted;
    private int _failures;
    private volatile bool _isOver;

    public WorkerPlace(Func<PooledWorker> create, WorkerSpawner spawner, ModelConfiguration configuration, TimeProvider time, ILogger log, Action changed)
    {
        _create = create;
        _spawner = spawner;
        _configuration = configuration;
        _time = time;
        _log = log;
        _changed = changed;
        _retry = new ResiliencePipelineBuilder<WorkerEnd> { TimeProvider = time }
            .AddRetry(new RetryStrategyOptions<WorkerEnd>
            {
                ShouldHandle = arguments => ValueTask.FromResult(IsWorthRetrying(arguments.Outcome.Result)),
                MaxRetryAttempts = int.MaxValue,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = FirstBackoff,
                MaxDelay = LongestBackoff,
                DelayGenerator = arguments => ValueTask.FromResult<TimeSpan?>(arguments.Outcome.Result is { WasKilled: true } ? BackoffAfterKill : null),
                OnRetry = arguments =>
                {
                    Log.Retrying(_log, arguments.Outcome.Result?.Reason ?? "unknown", arguments.RetryDelay.TotalSeconds, _failures, configuration.MaxRetries);
                    return default;
                },
            })
            .Build();
    }

    /// <summary>The worker that fills the place now, or the last one.</summary>
    public PooledWorker? Worker { get; private set; }

    /// <summary>How often the place was filled again.</summary>
    public int Restarts { get; private set; }

    /// <summary>Why the last worker failed; null if none did since one was ready.</summary>
    public WorkerFailure? Failure { get; private set; }

    /// <summary>Whether it has given up, but for probes.</summary>
    public bool IsFailed { get; private set; }

    /// <summary>Whether it is being given up: its worker drains.</summary>
    public bool IsLeaving => _stop.IsCancellationRequested;

    /// <summary>Whether a worker is there that takes requests.</summary>
    public bool IsReady => Worker is { State: WorkerState.Ready or WorkerState.Busy } && !IsLeaving;

    /// <summary>Completes when a worker is there, or the place has failed, or is given up.</summary>
    public Task Settled => Volatile.Read(ref _settled).Task;

    /// <summary>Fills the place until it is told to leave.</summary>
    public async Task RunAsync()
    {
        var probe = FirstProbe;
        var context = ResilienceContextPool.Shared.Get(_stop.Token);
        try
        {
            while (!_stop.IsCancellationRequested)
            {
                _streakStarted = _time.GetTimestamp();
                _failures = 0;
                var end = await _retry.ExecuteAsync(static async (_, place) => await place.LiveOnceAsync().ConfigureAwait(false), context, this).ConfigureAwait(false);
                if (end.WasAsked) return;
                if (end.DidItsWork)
                {
                    probe = FirstProbe;
                    continue;
                }

                Fail(end.ToFailure());
                await WaitForRevivalAsync(end.IsPermanent ? Timeout.InfiniteTimeSpan : probe).ConfigureAwait(false);
                probe = TimeSpan.FromTicks(Math.Min(probe.Ticks * 2, LongestProbe.Ticks));
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Told to leave while it waited for its next try.
        }
        catch (Exception e)
        {
            Log.Broken(_log, e);
            Fail(new WorkerFailure(e.Message));
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
            _isOver = true;
            _settled.TrySetResult();
        }
    }

    /// <summary>Tries again now, if the place has failed; until that is decided it is not settled.</summary>
    public void Revive()
    {
        Unsettle();
        _revived.TrySetResult();
    }

    /// <summary>Has the worker finish what it has and leave, and fills the place no more.</summary>
    public async Task LeaveAsync(TimeSpan limit)
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        if (Worker is { } worker) await worker.LeaveAsync(limit).ConfigureAwait(false);
    }

    private async Task<WorkerEnd> LiveOnceAsync()
    {
        _stop.Token.ThrowIfCancellationRequested();
        WorkerEnd end;
        try
        {
            end = await FillAsync().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // No descriptor, no thread or no memory left: a failed start like another, which the next try may not meet.
            Log.NotFilled(_log, e);
            end = new WorkerEnd(e.Message, IsLeaving, DidItsWork: false);
        }

        if (!end.WasAsked)
        {
            Failure = end.ToFailure();
            Unsettle();
        }

        if (!end.WasKilled) _failures++;
        _changed();
        return end;
    }

    private async Task<WorkerEnd> FillAsync()
    {
        var worker = _create();
        if (Worker is not null) Restarts++;
        Worker = worker;

        // Either this sees that it is to leave, or LeaveAsync sees the worker: without the barrier the store above might come
        // after the load below, and neither would.
        Interlocked.MemoryBarrier();
        if (_stop.IsCancellationRequested)
        {
            // LeaveAsync may have looked before this worker was there.
            worker.Forgo();
            return new WorkerEnd("it was told to leave", true, false, false);
        }

        return await worker.LiveAsync(_spawner, _configuration.StartupTimeout, () =>
        {
            Failure = null;
            IsFailed = false;
            _settled.TrySetResult();
            _changed();
        }).ConfigureAwait(false);
    }

    private void Unsettle()
    {
        if (Settled.IsCompleted && !_isOver) Volatile.Write(ref _settled, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
    }

    private bool IsWorthRetrying(WorkerEnd? end) =>
        end is { WasAsked: false, DidItsWork: false, IsPermanent: false }
        && !_stop.IsCancellationRequested
        && _failures <= _configuration.MaxRetries
        && _time.GetElapsedTime(_streakStarted) < _configuration.MaxRetryTimeout;

    private void Fail(WorkerFailure failure)
    {
        Failure = failure;
        IsFailed = true;
        Log.GaveUp(_log, failure.Reason);
        _settled.TrySetResult();
        _changed();
    }

    private async Task WaitForRevivalAsync(TimeSpan limit)
    {
        try
        {
            await _revived.Task.WaitAsync(limit, _time, _stop.Token).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            Log.Probing(_log);
        }

        _revived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private static partial class Log
    {
        [LoggerMessage(11, LogLevel.Warning, "a worker failed ({Reason}); the next try is in {Seconds:0.0} s ({Failures} of at most {MaxRetries} failures)")]
        public static partial void Retrying(ILogger log, string reason, double seconds, int failures, int maxRetries);

        [LoggerMessage(12, LogLevel.Error, "the worker failed for good: {Reason}")]
        public static partial void GaveUp(ILogger log, string reason);

        [LoggerMessage(13, LogLevel.Information, "trying a failed worker once more")]
        public static partial void Probing(ILogger log);

        [LoggerMessage(15, LogLevel.Error, "a worker could not be started, or not be taken away")]
        public static partial void NotFilled(ILogger log, Exception error);

        [LoggerMessage(14, LogLevel.Critical, "a place in the worker pool ended unexpectedly")]
        public static partial void Broken(ILogger log, Exception error);
    }
}
