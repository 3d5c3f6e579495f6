namespace Serve.Worker.Images;

/// <summary>
/// Ends a decoding that takes too long: by the processor time of its thread, because on a busy machine a good picture waits
/// for the processor through no fault of its own; and in any case after <see cref="MostWaiting"/> times as long by the clock.
/// One for each decoding thread, used again and again.
/// </summary>
/// <param name="time">The clock.</param>
/// <param name="processorTime">Processor time of the decoding thread, asked from another one; null where nobody can tell: then the clock decides.</param>
internal sealed class DecodeLimit(TimeProvider time, Func<TimeSpan>? processorTime) : IDisposable
{
    /// <summary>How much longer than its limit a decoding may take by the clock.</summary>
    public const int MostWaiting = 10;

    [ThreadStatic]
    private static DecodeLimit? _ofThread;

    private readonly Lock _gate = new();
    private CancellationTokenSource _source = new();
    private ITimer? _timer;
    private TimeSpan _limit = Timeout.InfiniteTimeSpan;
    private TimeSpan _startProcessor;
    private long _startClock;
    private bool _isHandedOut;

    /// <summary>The calling thread's.</summary>
    public static DecodeLimit OfThread => _ofThread ??= new DecodeLimit(TimeProvider.System, ThreadProcessorClock.OfThisThread());

    /// <summary>Begins a decoding.</summary>
    /// <param name="limit">The most it may take; infinite for no limit.</param>
    /// <returns>Cancelled when it takes too long; the caller may cancel it too.</returns>
    public CancellationTokenSource Begin(TimeSpan limit)
    {
        lock (_gate)
        {
            _limit = limit;
            _startClock = time.GetTimestamp();
            if (limit == Timeout.InfiniteTimeSpan) return _source;

            _startProcessor = processorTime?.Invoke() ?? default;
            if (_timer is null) _timer = time.CreateTimer(static state => ((DecodeLimit)state!).Check(), this, limit, Timeout.InfiniteTimeSpan);
            else _timer.Change(limit, Timeout.InfiniteTimeSpan);
            return _source;
        }
    }

    /// <summary>The decoding has ended, in whatever way.</summary>
    public void End()
    {
        lock (_gate)
        {
            _limit = Timeout.InfiniteTimeSpan;
            _timer?.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

            // A source that was handed out is cancelled at any later time: it must not be the next decoding's, nor be disposed of.
            if (!_isHandedOut)
            {
                if (_source.TryReset()) return;
                _source.Dispose();
            }

            _isHandedOut = false;
            _source = new CancellationTokenSource();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            _limit = Timeout.InfiniteTimeSpan;
            _timer?.Dispose();
            if (!_isHandedOut) _source.Dispose();
        }
    }

    private void Check()
    {
        CancellationTokenSource late;
        lock (_gate)
        {
            // It fired while the decoding ended, or another one has begun since.
            if (_limit == Timeout.InfiniteTimeSpan) return;
            var elapsed = time.GetElapsedTime(_startClock);
            var used = processorTime is null ? elapsed : processorTime() - _startProcessor;
            if (used < _limit && elapsed < _limit * MostWaiting)
            {
                var left = _limit - used;
                _timer!.Change(left < TimeSpan.FromMilliseconds(1) ? TimeSpan.FromMilliseconds(1) : left, Timeout.InfiniteTimeSpan);
                return;
            }

            _isHandedOut = true;
            late = _source;
        }

        // Outside the lock: callbacks may run. The decoding may have ended this moment.
        late.Cancel();
    }
}
