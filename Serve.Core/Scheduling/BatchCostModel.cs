using System.Numerics;

namespace Serve.Core.Scheduling;

/// <summary>
/// T(n): how long a batch of n rows takes, learnt from those that ran. Mean and 99th percentile for any n; sizes that were
/// never seen lie on a line between those that were. Never falls with n: more rows do not take less time.
/// </summary>
/// <remarks>
/// Newer measurements count for more. One that is far off, because its worker was stopped or the machine stood still, counts
/// for at most twice what was expected; if batches have become that slow, the next ones say so too, and the model follows
/// within some dozens. Pure: no clock, times in whatever ticks they come in. Not safe from several threads. Without
/// allocation, a few dozen operations a measurement, a handful a question.
/// </remarks>
public sealed class BatchCostModel
{
    /// <summary>Measurements of one size without which nothing may be refused because of it.</summary>
    public const int Evidence = 3;

    /// <summary>What a new measurement counts for against all before it.</summary>
    private const double Share = 1 / 16.0;

    /// <summary>A size whose measurements are this many behind the latest counts for little against its neighbours'.</summary>
    private const double Ageing = 0.99;

    private readonly SizeRange[] _ranges;
    private readonly long[] _means;
    private readonly long[] _p99s;
    private readonly int[] _sizes;
    private long _learnt;
    private double _typical;

    /// <summary>Creates a model that knows nothing.</summary>
    /// <param name="batchSize">The most rows of a batch; larger ones, of single requests, are extrapolated.</param>
    public BatchCostModel(int batchSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        var powers = BitOperations.Log2((uint)batchSize);
        var count = BitOperations.IsPow2(batchSize) ? powers + 1 : powers + 2;
        _sizes = new int[count];
        for (var i = 0; i < count; i++) _sizes[i] = Math.Min(1 << i, batchSize);
        _ranges = new SizeRange[count];
        for (var i = 0; i < count; i++) _ranges[i] = new SizeRange();
        _means = new long[count];
        _p99s = new long[count];
        BatchSize = batchSize;
    }

    /// <summary>The most rows of a batch.</summary>
    public int BatchSize { get; }

    /// <summary>The sizes that it is told for: 1, 2, 4 … up to the batch size.</summary>
    public IReadOnlyList<int> Sizes => _sizes;

    /// <summary>Whether enough was measured to refuse a request because of it.</summary>
    public bool HasEvidence { get; private set; }

    /// <summary>The mean of the batches of late, whatever their sizes; 0: nothing was measured.</summary>
    public long Typical => (long)_typical;

    /// <summary>Whether batches of about this size were measured, and not only others.</summary>
    /// <param name="rows">Rows.</param>
    public bool IsMeasured(int rows) => _ranges[IndexOf(rows)].Count > 0;

    /// <summary>The mean time of a batch; 0: nothing was measured.</summary>
    /// <param name="rows">Its rows.</param>
    public long Mean(int rows) => Interpolate(_means, rows);

    /// <summary>The time that 99 of 100 batches keep; 0: nothing was measured.</summary>
    /// <param name="rows">Rows.</param>
    public long P99(int rows) => Interpolate(_p99s, rows);

    /// <summary>A batch has run.</summary>
    /// <param name="rows">Its rows.</param>
    /// <param name="ticks">How long it took.</param>
    public void Learn(int rows, long ticks)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(ticks);
        var range = _ranges[IndexOf(rows)];
        var expected = Mean(rows);
        var counted = range.IsSettled ? Math.Min(ticks, 2 * Math.Max(1, expected)) : ticks;
        _typical = _learnt == 0 ? counted : _typical + Share * (counted - _typical);
        range.Learn(rows, counted, expected, ++_learnt);
        HasEvidence |= range.Count >= Evidence;
        Rebuild();
    }

    /// <summary>The range of sizes that a batch counts to: above half of its grid size.</summary>
    private int IndexOf(int rows) => rows <= 1 ? 0 : Math.Min(BitOperations.Log2((uint)rows - 1) + 1, _sizes.Length - 1);

    private long Interpolate(long[] times, int rows)
    {
        if (rows >= BatchSize) return (long)(times[^1] * (Math.Max(1, rows) / (double)BatchSize));
        if (rows <= 1) return times[0];

        var above = IndexOf(rows);
        int from = _sizes[above - 1], to = _sizes[above];
        return times[above - 1] + (times[above] - times[above - 1]) * (rows - from) / (to - from);
    }

    /// <summary>Draws the curve anew: a line through the ranges' centres, made monotone, told at the grid's sizes.</summary>
    private void Rebuild()
    {
        Span<Knot> knots = stackalloc Knot[_ranges.Length];
        var count = 0;
        foreach (var range in _ranges)
        {
            if (range.Count == 0) continue;
            knots[count++] = new Knot(range.Rows, range.Mean, range.WeightAt(_learnt));
            while (count > 1 && knots[count - 2].Ticks > knots[count - 1].Ticks) Pool(knots, ref count);
        }

        long leastP99 = 0;
        for (var i = 0; i < _sizes.Length; i++)
        {
            _means[i] = (long)OnCurve(knots[..count], _sizes[i]);
            if (i > 0) _means[i] = Math.Max(_means[i], _means[i - 1]);
            leastP99 = _p99s[i] = Math.Max(leastP99, (long)(_means[i] * SpreadNear(i)));
        }
    }

    /// <summary>Two sizes of which the larger seems faster are taken to cost the same, each according to its weight.</summary>
    private static void Pool(Span<Knot> knots, ref int count)
    {
        var (a, b) = (knots[count - 2], knots[count - 1]);
        var weight = a.Weight + b.Weight;
        var ticks = (a.Ticks * a.Weight + b.Ticks * b.Weight) / weight;
        knots[count - 2] = new Knot((a.Rows * a.Weight + b.Rows * b.Weight) / weight, ticks, weight);
        count--;
    }

    /// <summary>
    /// Beyond what was measured the line goes on; a single centre is taken to hold for all sizes, which promises too much
    /// rather than too little. Fewer rows save at most their share.
    /// </summary>
    private static double OnCurve(ReadOnlySpan<Knot> knots, int rows)
    {
        if (knots.Length == 1) return knots[0].Ticks;

        var at = 1;
        while (at < knots.Length - 1 && knots[at].Rows < rows) at++;
        var (a, b) = (knots[at - 1], knots[at]);
        var ticks = b.Rows - a.Rows < 0.01 ? b.Ticks : a.Ticks + (b.Ticks - a.Ticks) * (rows - a.Rows) / (b.Rows - a.Rows);
        return rows < a.Rows ? Math.Max(ticks, a.Ticks * rows / a.Rows) : ticks;
    }

    /// <summary>The 99th percentile over the mean, of the nearest size that was measured.</summary>
    private double SpreadNear(int index)
    {
        for (var distance = 0; distance < _ranges.Length; distance++)
        {
            if (index + distance < _ranges.Length && _ranges[index + distance].Count > 0) return _ranges[index + distance].Spread;
            if (index - distance >= 0 && _ranges[index - distance].Count > 0) return _ranges[index - distance].Spread;
        }

        return 1;
    }

    private readonly record struct Knot(double Rows, double Ticks, double Weight);

    /// <summary>What was measured of the sizes between two of the grid.</summary>
    private sealed class SizeRange
    {
        /// <summary>Until so many are there, their median counts: the first is often the slowest by far.</summary>
        private const int Infancy = 5;

        private const int Remembered = 100;

        private readonly float[] _ratios = new float[Remembered];
        private readonly long[] _first = new long[Infancy];
        private long _latest;

        public int Count { get; private set; }

        /// <summary>The mean size.</summary>
        public double Rows { get; private set; }

        /// <summary>The mean time.</summary>
        public double Mean { get; private set; }

        /// <summary>The 99th percentile as a multiple of the mean; at least 1.</summary>
        public double Spread { get; private set; } = 1;

        public bool IsSettled => Count >= Infancy;

        public double WeightAt(long learnt) => Math.Min(Count, 1 / Share) * Math.Pow(Ageing, learnt - _latest);

        public void Learn(int rows, long ticks, long expected, long number)
        {
            _latest = number;
            if (Count < Infancy)
            {
                _first[Count] = ticks;
                Rows = (Rows * Count + rows) / (Count + 1);
                Mean = Median(_first.AsSpan(0, Count + 1));
                expected = (long)Mean;
            }
            else
            {
                Rows += Share * (rows - Rows);
                Mean += Share * (ticks - Mean);
            }

            _ratios[Count % Remembered] = (float)(ticks / (double)Math.Max(1, expected));
            Count = Count == int.MaxValue ? Remembered : Count + 1;
            Spread = IsSettled ? Math.Max(1, SecondLargest(_ratios.AsSpan(0, Math.Min(Count, Remembered)))) : 1;
        }

        private static double Median(ReadOnlySpan<long> values)
        {
            Span<long> sorted = stackalloc long[values.Length];
            values.CopyTo(sorted);
            sorted.Sort();
            return sorted[(sorted.Length - 1) / 2];
        }

        /// <summary>Of a hundred, the second largest is the 99th percentile; of fewer it is a careful guess.</summary>
        private static double SecondLargest(ReadOnlySpan<float> values)
        {
            float first = 0, second = 0;
            foreach (var value in values)
            {
                if (value > first) (first, second) = (value, first);
                else if (value > second) second = value;
            }

            return second;
        }
    }
}
