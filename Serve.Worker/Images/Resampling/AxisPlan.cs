using Serve.Core.Configuration;

namespace Serve.Worker.Images.Resampling;

/// <summary>
/// The coefficients of one axis: which input pixels each kept output pixel is made of, and with what weights.
/// PIL's arithmetic (Pillow, src/libImaging/Resample.c): computed and normalized in double, then 22-bit fixed point.
/// Immutable, shared between threads.
/// </summary>
internal sealed class AxisPlan
{
    /// <summary>Fraction bits of a weight: 32 less 8 of a pixel and 2 for the overshoot of bicubic.</summary>
    public const int FractionBits = 22;

    /// <summary>Where a weight is split into two 16-bit halves for the vector paths.</summary>
    public const int SplitBits = 11;

    /// <summary>Pixels that one step of a horizontal vector path takes from 16 bytes.</summary>
    public const int TapsPerBlock = 4;

    private AxisPlan(int firstInput, int endInput, int[] starts, int taps, int[] weights)
    {
        FirstInput = firstInput;
        EndInput = endInput;
        Starts = starts;
        Taps = taps;
        Weights = weights;
        BlockWeights = SplitIntoBlocks(weights, taps, starts.Length);
        PairWeights = SplitIntoPairs(weights, taps, starts.Length);
    }

    /// <summary>Input and output are the same pixels: nothing is computed, as in PIL.</summary>
    public bool IsIdentity => Taps == 0;

    /// <summary>The first input pixel that any output uses.</summary>
    public int FirstInput { get; }

    /// <summary>One past the last input pixel that any output uses.</summary>
    public int EndInput { get; }

    /// <summary>For each output pixel its first input pixel.</summary>
    public int[] Starts { get; }

    /// <summary>Weights for each output pixel; the last ones may be 0 and may stand for pixels past the input's end.</summary>
    public int Taps { get; }

    /// <summary><see cref="Taps"/> for each output pixel.</summary>
    public int[] Weights { get; }

    /// <summary>Steps of four taps for each output pixel.</summary>
    public int Blocks => (Taps + TapsPerBlock - 1) / TapsPerBlock;

    /// <summary>
    /// For the horizontal vector paths, 32 numbers a block: upper halves (w0 w1) four times, (w2 w3) four times, then the lower halves likewise.
    /// </summary>
    public short[] BlockWeights { get; }

    /// <summary>Steps of two taps for each output pixel.</summary>
    public int Pairs => (Taps + 1) / 2;

    /// <summary>For the vertical vector paths, 4 numbers a pair: upper halves w0 w1, lower halves w0 w1.</summary>
    public short[] PairWeights { get; }

    /// <summary>What the plan takes in memory, roughly.</summary>
    public long SizeBytes => 128 + (4L * (Starts.Length + Weights.Length)) + (2L * (BlockWeights.Length + PairWeights.Length));

    public static AxisPlan Create(in AxisGeometry axis, Interpolation filter)
    {
        if (axis.InputSize == axis.ResizedSize)
            return new AxisPlan(axis.First, axis.First + axis.Count, [], 0, []);

        var scale = (double)axis.InputSize / axis.ResizedSize;
        var filterScale = Math.Max(scale, 1.0);
        var support = (filter == Interpolation.Bilinear ? 1.0 : 2.0) * filterScale;
        var inverse = 1.0 / filterScale;
        var widest = ((int)Math.Ceiling(support) * 2) + 1;

        var starts = new int[axis.Count];
        var lengths = new int[axis.Count];
        var precise = new double[Math.Min(widest, axis.InputSize)];
        var weights = new int[axis.Count * precise.Length];
        var taps = 0;
        for (var i = 0; i < axis.Count; i++)
        {
            var center = (axis.First + i + 0.5) * scale;
            var start = Math.Max((int)(center - support + 0.5), 0);
            var length = Math.Min((int)(center + support + 0.5), axis.InputSize) - start;
            var sum = 0.0;
            for (var tap = 0; tap < length; tap++)
            {
                precise[tap] = Evaluate(filter, (tap + start - center + 0.5) * inverse);
                sum += precise[tap];
            }

            for (var tap = 0; tap < length; tap++)
                weights[(i * precise.Length) + tap] = ToFixedPoint(sum != 0.0 ? precise[tap] / sum : precise[tap]);
            starts[i] = start;
            lengths[i] = length;
            taps = Math.Max(taps, length);
        }

        return Pack(starts, lengths, taps, weights, precise.Length);
    }

    private static AxisPlan Pack(int[] starts, int[] lengths, int taps, int[] weights, int stride)
    {
        var packed = new int[starts.Length * taps];
        for (var i = 0; i < starts.Length; i++)
            weights.AsSpan(i * stride, lengths[i]).CopyTo(packed.AsSpan(i * taps));
        return new AxisPlan(starts[0], starts[^1] + lengths[^1], starts, taps, packed);
    }

    private static double Evaluate(Interpolation filter, double x)
    {
        const double a = -0.5; // of Keys' cubic
        x = Math.Abs(x);
        if (filter == Interpolation.Bilinear)
            return x < 1.0 ? 1.0 - x : 0.0;
        if (x < 1.0)
            return ((((a + 2.0) * x) - (a + 3.0)) * x * x) + 1;
        return x < 2.0 ? ((((x - 5) * x) + 8) * x - 4) * a : 0.0;
    }

    private static int ToFixedPoint(double weight) =>
        (int)((weight < 0 ? -0.5 : 0.5) + (weight * (1 << FractionBits)));

    private static short[] SplitIntoBlocks(int[] weights, int taps, int count)
    {
        const int Lanes = 16;
        var blocks = (taps + TapsPerBlock - 1) / TapsPerBlock;
        var split = new short[count * blocks * 2 * Lanes];
        for (var i = 0; i < count; i++)
        {
            for (var tap = 0; tap < taps; tap++)
            {
                var (upper, lower) = Split(weights[(i * taps) + tap]);
                var block = ((i * blocks) + (tap / TapsPerBlock)) * 2 * Lanes;
                var lane = (tap % TapsPerBlock / 2 * 8) + (tap % 2);
                for (var repeat = 0; repeat < 4; repeat++)
                {
                    split[block + lane + (2 * repeat)] = upper;
                    split[block + Lanes + lane + (2 * repeat)] = lower;
                }
            }
        }

        return split;
    }

    private static short[] SplitIntoPairs(int[] weights, int taps, int count)
    {
        var pairs = (taps + 1) / 2;
        var split = new short[count * pairs * 4];
        for (var i = 0; i < count; i++)
        {
            for (var tap = 0; tap < taps; tap++)
            {
                var at = (((i * pairs) + (tap / 2)) * 4) + (tap % 2);
                (split[at], split[at + 2]) = Split(weights[(i * taps) + tap]);
            }
        }

        return split;
    }

    private static (short Upper, short Lower) Split(int weight) =>
        ((short)(weight >> SplitBits), (short)(weight & ((1 << SplitBits) - 1)));
}
