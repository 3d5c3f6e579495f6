namespace Serve.Worker.Pipeline;

/// <summary>
/// Decides whether the reader's thread executes batches itself. Handing a batch to the device thread costs a thread hop, 20
/// to 50 µs: more than some handlers do. A handler that turns out slower goes to the device thread for good, because while
/// the reader executes it cannot take in a Cancel.
/// </summary>
internal sealed class ReaderShortcut(PendingRequests pending, bool isAllowed, int instances, TimeProvider time)
{
    private const int Trial = 48;
    private static readonly TimeSpan TooSlow = TimeSpan.FromMilliseconds(20);

    // Of executing and writing answers together. Sending them does not count: it wakes the frontend, which may take the
    // processor. Nor does more than this much of one batch: now and then somebody else takes the processor meanwhile.
    private static readonly TimeSpan CheapWithAnswers = TimeSpan.FromMilliseconds(0.25);
    private static readonly TimeSpan MostOfOne = TimeSpan.FromMilliseconds(1);

    // The reader executes one batch at a time. Where several might run at once, only what takes less than the hop is worth that.
    private readonly TimeSpan _cheapMean = TimeSpan.FromMicroseconds(instances == 1 ? 200 : 50);
    private readonly Lock _gate = new();
    private TimeSpan _sum;
    private int _batches;
    private bool _isDecided;

    /// <summary>A batch has executed on the device thread.</summary>
    public void Observe(Batch batch)
    {
        if (!isAllowed || Volatile.Read(ref _isDecided) || batch.Requests.Count == 0) return;
        lock (_gate)
        {
            // Several device threads may try batches.
            if (_isDecided) return;
            _sum += time.GetElapsedTime(batch.ExecutionTimestamp, batch.ExecutedTimestamp);
            if (++_batches < Trial) return;
            _isDecided = true;
            pending.RunsOnReader = _sum / Trial < _cheapMean;
        }
    }

    /// <summary>A batch has been executed and answered on the reader's thread.</summary>
    /// <param name="ticks">What that took, in ticks of the clock.</param>
    public void ObserveOnReader(long ticks)
    {
        var took = time.GetElapsedTime(0, ticks);
        var counted = took < MostOfOne ? took : MostOfOne;
        _sum = ((_sum * (Trial - 1)) + (counted * Trial)) / Trial;
        if (_sum / Trial < CheapWithAnswers && took < TooSlow) return;
        pending.RunsOnReader = false;
    }
}
