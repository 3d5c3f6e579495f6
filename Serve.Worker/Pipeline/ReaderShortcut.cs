namespace Serve.Worker.Pipeline;

/// <summary>
/// Decides whether the reader's thread executes batches itself. Handing a batch to the device thread costs a thread hop, 20
/// to 50 µs: more than some handlers do. A handler that turns out slower goes to the device thread for good, because while
/// the reader executes it cannot take in a Cancel.
/// </summary>
internal sealed class ReaderShortcut(PendingRequests pending, bool isAllowed, TimeProvider time)
{
    private const int Trial = 48;
    private static readonly TimeSpan CheapMean = TimeSpan.FromMilliseconds(0.2);
    private static readonly TimeSpan TooSlow = TimeSpan.FromMilliseconds(20);

    private TimeSpan _sum;
    private int _batches;
    private bool _isDecided;

    /// <summary>A batch has executed on the device thread.</summary>
    public void Observe(Batch batch)
    {
        if (!isAllowed || _isDecided || batch.Requests.Count == 0) return;
        _sum += time.GetElapsedTime(batch.ExecutionTimestamp, batch.ExecutedTimestamp);
        if (++_batches < Trial) return;
        _isDecided = true;
        pending.RunsOnReader = _sum / Trial < CheapMean;
    }

    /// <summary>A batch has executed on the reader's thread.</summary>
    public void ObserveOnReader(Batch batch)
    {
        if (batch.Requests.Count == 0) return;
        var took = time.GetElapsedTime(batch.ExecutionTimestamp, batch.ExecutedTimestamp);
        _sum = ((_sum * (Trial - 1)) + (took * Trial)) / Trial;
        if (_sum / Trial < CheapMean && took < TooSlow) return;
        pending.RunsOnReader = false;
    }
}
