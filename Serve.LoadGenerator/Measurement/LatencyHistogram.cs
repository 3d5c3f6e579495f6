using System.Numerics;

namespace Serve.LoadGenerator.Measurement;

/// <summary>
/// Durations in buckets whose width grows with the value, as HdrHistogram's: quantiles are right to 0.8 %, whatever the
/// range; the least, the greatest, the mean and the count are exact. 58 KiB, and no allocation to record.
/// </summary>
public sealed class LatencyHistogram
{
    // Up to 128 ns each nanosecond has a bucket; above, each power of two is divided into 128.
    private const int DetailBits = 7;
    private const int Detail = 1 << DetailBits;

    private readonly long[] _counts = new long[(64 - DetailBits) * Detail];
    private double _sum;
    private long _least = long.MaxValue;
    private long _greatest;

    /// <summary>How many were recorded.</summary>
    public long Count { get; private set; }

    /// <summary>The longest.</summary>
    public TimeSpan Max => OfNanoseconds(_greatest);

    /// <summary>The shortest.</summary>
    public TimeSpan Min => Count == 0 ? TimeSpan.Zero : OfNanoseconds(_least);

    /// <summary>The mean.</summary>
    public TimeSpan Mean => Count == 0 ? TimeSpan.Zero : OfNanoseconds((long)(_sum / Count));

    /// <summary>Records one; below zero counts as zero.</summary>
    public void Record(TimeSpan duration)
    {
        var nanoseconds = Math.Clamp(duration.Ticks, 0, long.MaxValue / TimeSpan.NanosecondsPerTick) * TimeSpan.NanosecondsPerTick;
        _counts[IndexOf(nanoseconds)]++;
        Count++;
        _sum += nanoseconds;
        _least = Math.Min(_least, nanoseconds);
        _greatest = Math.Max(_greatest, nanoseconds);
    }

    /// <summary>Adds what another has recorded.</summary>
    public void Add(LatencyHistogram other)
    {
        ArgumentNullException.ThrowIfNull(other);
        for (var i = 0; i < _counts.Length; i++) _counts[i] += other._counts[i];
        Count += other.Count;
        _sum += other._sum;
        _least = Math.Min(_least, other._least);
        _greatest = Math.Max(_greatest, other._greatest);
    }

    /// <summary>The duration that this part of them does not exceed, as the nearest rank has it; zero when there are none.</summary>
    /// <param name="part">0 to 1; 0.5 is the median.</param>
    public TimeSpan Quantile(double part)
    {
        if (Count == 0) return TimeSpan.Zero;
        var rank = Math.Max(1, (long)Math.Ceiling(Math.Clamp(part, 0, 1) * Count));
        long seen = 0;
        for (var i = 0; i < _counts.Length; i++)
        {
            seen += _counts[i];
            if (seen >= rank) return OfNanoseconds(Math.Clamp(MiddleOf(i), _least, _greatest));
        }

        return Max;
    }

    /// <summary>The buckets that hold something, shortest first: their middle, and how many.</summary>
    public IEnumerable<(TimeSpan Duration, long Count)> Buckets()
    {
        for (var i = 0; i < _counts.Length; i++)
        {
            if (_counts[i] > 0) yield return (OfNanoseconds(MiddleOf(i)), _counts[i]);
        }
    }

    private static int IndexOf(long nanoseconds)
    {
        if (nanoseconds < Detail) return (int)nanoseconds;
        var shift = BitOperations.Log2((ulong)nanoseconds) - DetailBits;
        return ((shift + 1) << DetailBits) + (int)((nanoseconds >> shift) & (Detail - 1));
    }

    private static long MiddleOf(int index)
    {
        if (index < Detail) return index;
        var shift = (index >> DetailBits) - 1;
        var least = (long)(Detail | (index & (Detail - 1))) << shift;
        return least + ((1L << shift) >> 1);
    }

    private static TimeSpan OfNanoseconds(long nanoseconds) => new(nanoseconds / TimeSpan.NanosecondsPerTick);
}
