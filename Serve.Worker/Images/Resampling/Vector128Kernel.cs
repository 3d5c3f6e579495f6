using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Serve.Worker.Images.Resampling;

/// <summary>The loops of <see cref="Avx2Kernel"/> on 128 bits: for ARM64 and for x64 processors that know no AVX2.</summary>
internal readonly unsafe struct Vector128Kernel : IResampleKernel
{
    public static bool IsSupported => Ssse3.IsSupported || AdvSimd.Arm64.IsSupported;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Horizontal(AxisPlan plan, byte* row0, byte* row1, byte* output0, byte* output1, int from, int to)
    {
        HorizontalRow(plan, row0, output0, from, to);
        if (output1 != output0)
            HorizontalRow(plan, row1, output1, from, to);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Vertical(AxisPlan plan, int output, byte* ring, nint stride, int mask, byte* row, int bytes)
    {
        var pairs = plan.Pairs;
        var start = plan.Starts[output];
        fixed (short* allWeights = plan.PairWeights)
        {
            var outputWeights = (int*)(allWeights + ((nint)output * pairs * 4));
            for (nint x = 0; x < bytes; x += Vector128<byte>.Count)
            {
                var weights = outputWeights;
                Vector128<int> upper0 = default, upper1 = default, upper2 = default, upper3 = default;
                Vector128<int> lower0 = default, lower1 = default, lower2 = default, lower3 = default;
                for (var pair = 0; pair < pairs; pair++)
                {
                    var tap = start + (2 * pair);
                    var first = Vector128.Load(ring + ((tap & mask) * stride) + x);
                    var second = Vector128.Load(ring + (((tap + 1) & mask) * stride) + x);
                    var low = InterleaveLower(first, second);
                    var high = InterleaveUpper(first, second);
                    var pixels0 = Vector128.WidenLower(low).AsInt16();
                    var pixels1 = Vector128.WidenUpper(low).AsInt16();
                    var pixels2 = Vector128.WidenLower(high).AsInt16();
                    var pixels3 = Vector128.WidenUpper(high).AsInt16();
                    var upperWeights = Vector128.Create(weights[0]).AsInt16();
                    var lowerWeights = Vector128.Create(weights[1]).AsInt16();
                    upper0 += MultiplyAddPairs(pixels0, upperWeights);
                    upper1 += MultiplyAddPairs(pixels1, upperWeights);
                    upper2 += MultiplyAddPairs(pixels2, upperWeights);
                    upper3 += MultiplyAddPairs(pixels3, upperWeights);
                    lower0 += MultiplyAddPairs(pixels0, lowerWeights);
                    lower1 += MultiplyAddPairs(pixels1, lowerWeights);
                    lower2 += MultiplyAddPairs(pixels2, lowerWeights);
                    lower3 += MultiplyAddPairs(pixels3, lowerWeights);
                    weights += 2;
                }

                Clip(Round(upper0, lower0), Round(upper1, lower1), Round(upper2, lower2), Round(upper3, lower3)).Store(row + x);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void HorizontalRow(AxisPlan plan, byte* row, byte* output, int from, int to)
    {
        var blocks = plan.Blocks;
        fixed (short* allWeights = plan.BlockWeights)
        {
            var weights = allWeights + ((nint)from * blocks * 32);
            for (var x = from; x < to; x++)
            {
                var pixel = row + (3 * (nint)plan.Starts[x]);
                Vector128<int> upper = default, lower = default;
                for (var block = 0; block < blocks; block++)
                {
                    var pixels = Vector128.Load(pixel);
                    var taps01 = Vector128.Shuffle(pixels, Vector128.Create(0, 0x80, 3, 0x80, 1, 0x80, 4, 0x80, 2, 0x80, 5, 0x80, 0x80, 0x80, 0x80, (byte)0x80)).AsInt16();
                    var taps23 = Vector128.Shuffle(pixels, Vector128.Create(6, 0x80, 9, 0x80, 7, 0x80, 10, 0x80, 8, 0x80, 11, 0x80, 0x80, 0x80, 0x80, (byte)0x80)).AsInt16();
                    upper += MultiplyAddPairs(taps01, Vector128.Load(weights)) + MultiplyAddPairs(taps23, Vector128.Load(weights + 8));
                    lower += MultiplyAddPairs(taps01, Vector128.Load(weights + 16)) + MultiplyAddPairs(taps23, Vector128.Load(weights + 24));
                    pixel += 3 * AxisPlan.TapsPerBlock;
                    weights += 32;
                }

                // Four bytes for three: the next pixel, or the row's slack, takes the fourth.
                var sums = Round(upper, lower);
                *(uint*)(output + (3 * (nint)x)) = Clip(sums, sums, sums, sums).AsUInt32().ToScalar();
            }
        }
    }

    private static Vector128<int> Round(Vector128<int> upper, Vector128<int> lower) =>
        ((upper << AxisPlan.SplitBits) + lower + Vector128.Create(1 << (AxisPlan.FractionBits - 1))) >> AxisPlan.FractionBits;

    private static Vector128<int> MultiplyAddPairs(Vector128<short> left, Vector128<short> right)
    {
        if (Sse2.IsSupported)
            return Sse2.MultiplyAddAdjacent(left, right);
        return AdvSimd.Arm64.AddPairwise(
            AdvSimd.MultiplyWideningLower(left.GetLower(), right.GetLower()),
            AdvSimd.MultiplyWideningUpper(left, right));
    }

    private static Vector128<byte> InterleaveLower(Vector128<byte> first, Vector128<byte> second) =>
        Sse2.IsSupported ? Sse2.UnpackLow(first, second) : AdvSimd.Arm64.ZipLow(first, second);

    private static Vector128<byte> InterleaveUpper(Vector128<byte> first, Vector128<byte> second) =>
        Sse2.IsSupported ? Sse2.UnpackHigh(first, second) : AdvSimd.Arm64.ZipHigh(first, second);

    private static Vector128<byte> Clip(Vector128<int> a, Vector128<int> b, Vector128<int> c, Vector128<int> d)
    {
        if (Sse2.IsSupported)
            return Sse2.PackUnsignedSaturate(Sse2.PackSignedSaturate(a, b), Sse2.PackSignedSaturate(c, d));
        var low = AdvSimd.ExtractNarrowingSaturateUpper(AdvSimd.ExtractNarrowingSaturateLower(a), b);
        var high = AdvSimd.ExtractNarrowingSaturateUpper(AdvSimd.ExtractNarrowingSaturateLower(c), d);
        return AdvSimd.ExtractNarrowingSaturateUnsignedUpper(AdvSimd.ExtractNarrowingSaturateUnsignedLower(low), high);
    }
}
