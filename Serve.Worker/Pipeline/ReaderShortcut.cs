namespace Serve.Worker.Pipeline;

/// <summary>
/// Decides whether the reader's thread executes batches itself. Handing a batch to the device thread costs a thread hop, 20
/// to 50 µs: more than some handlers do. Batches on the device thread are tried, some dozens in a row; a handler that fails
/// is tried again later, each time after twice as many batches, because it may have been the machine that was slow. One that
/// turns out slower on the reader goes back to the device thread, because while the reader executes it cannot take in a
/// Cancel.
/// </summary>
internal sealed class ReaderShortcut(PendingRequests pending, bool isAllowed, int instances, TimeProvider time)
{
    /// <summary>How many batches a trial has, and how many pass before the second one.</summary>
    public const int Trial = 48;

    private const int LongestWait = 1 << 16;
    private static readonly TimeSpan TooSlow = TimeSpan.FromMilliseconds(20);

    // Of executing and writing answers together. Sending them does not count: it wakes the frontend, which may take the
    // processor. Nor does more than this much of one batch: now and then somebody else takes the processor meanwhile.
    private static readonly TimeSpan CheapWithAnswers = TimeSpan.FromMilliseconds(0.25);
    private static readonly TimeSpan MostOfOne = TimeSpan.FromMilliseconds(1);

    // The reader executes one batch at a time. Where several might run at once, only what takes less than the hop is worth that.
    private readonly TimeSpan _cheapMean = TimeSpan.FromMicroseconds(instances == 1 ? 200 : 50);

    // Several device threads may try batches, while the reader still executes one or has just given up.
    private readonly Lock _gate = new();
    private TimeSpan _sum;
    private int _batches;
    private int _wait;
    private int _nextWait = Trial;

    /// <summary>A batch has executed on the device thread.</summary>
    /// <param name="ticks">What that took, in ticks of the clock.</param>
    public void ObserveOnDevice(long ticks)
    {
        if (!isAllowed) return;
        lock (_gate)
        {
            if (pending.RunsOnReader) return;
            if (_wait > 0)
            {
                _wait--;
                return;
            }

            var took = time.GetElapsedTime(0, ticks);
            _sum += Counted(took);
            _batches++;
            if (took >= TooSlow) PutOff();
            else if (_batches < Trial) return;
            else if (_sum / Trial < _cheapMean) pending.RunsOnReader = true;
            else PutOff();
        }
    }

    /// <summary>A batch has been executed and answered on the reader's thread.</summary>
    /// <param name="ticks">What that took, in ticks of the clock.</param>
    public void ObserveOnReader(long ticks)
    {
        var took = time.GetElapsedTime(0, ticks);
        _sum = ((_sum * (Trial - 1)) + (Counted(took) * Trial)) / Trial;
        if (_sum / Trial < CheapWithAnswers && took < TooSlow) return;
        lock (_gate) PutOff();
    }

    private static TimeSpan Counted(TimeSpan took) => took < MostOfOne ? took : MostOfOne;

    private void PutOff()
    {
        pending.RunsOnReader = false;
        (_wait, _nextWait) = (_nextWait, Math.Min(2 * _nextWait, LongestWait));
        (_sum, _batches) = (TimeSpan.Zero, 0);
    }
}
