using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Serve.Worker.Images.Resampling;

/// <summary>
/// The loops for AVX2. A 22-bit weight w is split into w &gt;&gt; 11 and w &amp; 0x7FF, both 16 bits wide, so that one multiply-add
/// takes two taps of eight sums at once; ((upper &lt;&lt; 11) + lower) in 32 bits is PIL's sum exactly, whatever overflows on the way.
/// </summary>
internal readonly unsafe struct Avx2Kernel : IResampleKernel
{
    public static bool IsSupported => Avx2.IsSupported;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Horizontal(AxisPlan plan, byte* row0, byte* row1, byte* output0, byte* output1, int from, int to)
    {
        // 16 bytes hold four pixels and a third: [R0R1 G0G1 B0B1 --] in the lower half, [R2R3 G2G3 B2B3 --] in the upper, as 16-bit pairs.
        var shuffle = Vector256.Create(
            0, 0x80, 3, 0x80, 1, 0x80, 4, 0x80, 2, 0x80, 5, 0x80, 0x80, 0x80, 0x80, 0x80,
            6, 0x80, 9, 0x80, 7, 0x80, 10, 0x80, 8, 0x80, 11, 0x80, 0x80, 0x80, 0x80, (byte)0x80);
        var blocks = plan.Blocks;
        ref var starts = ref MemoryMarshal.GetArrayDataReference(plan.Starts);
        fixed (short* allWeights = plan.BlockWeights)
        {
            var weights = allWeights + ((nint)from * blocks * 32);
            for (var x = from; x < to; x++)
            {
                nint start = 3 * (nint)Unsafe.Add(ref starts, x);
                byte* pixel0 = row0 + start, pixel1 = row1 + start;
                Vector256<int> upper0 = default, lower0 = default, upper1 = default, lower1 = default;
                for (var block = 0; block < blocks; block++)
                {
                    var upperWeights = Vector256.Load(weights);
                    var lowerWeights = Vector256.Load(weights + 16);
                    var pixels0 = Avx2.Shuffle(Avx2.BroadcastVector128ToVector256(pixel0), shuffle).AsInt16();
                    var pixels1 = Avx2.Shuffle(Avx2.BroadcastVector128ToVector256(pixel1), shuffle).AsInt16();
                    upper0 += Avx2.MultiplyAddAdjacent(pixels0, upperWeights);
                    lower0 += Avx2.MultiplyAddAdjacent(pixels0, lowerWeights);
                    upper1 += Avx2.MultiplyAddAdjacent(pixels1, upperWeights);
                    lower1 += Avx2.MultiplyAddAdjacent(pixels1, lowerWeights);
                    pixel0 += 3 * AxisPlan.TapsPerBlock;
                    pixel1 += 3 * AxisPlan.TapsPerBlock;
                    weights += 32;
                }

                // Both halves of both rows: [row 0 | row 1] in one vector, so that the rest is done once.
                var sum0 = (upper0 << AxisPlan.SplitBits) + lower0;
                var sum1 = (upper1 << AxisPlan.SplitBits) + lower1;
                var sums = Avx2.Permute2x128(sum0, sum1, 0x20) + Avx2.Permute2x128(sum0, sum1, 0x31);
                sums = (sums + Vector256.Create(1 << (AxisPlan.FractionBits - 1))) >> AxisPlan.FractionBits;
                var words = Avx2.PackSignedSaturate(sums, sums);
                var bytes = Avx2.PackUnsignedSaturate(words, words).AsUInt32();

                // Four bytes for three: the next pixel, or the row's slack, takes the fourth.
                *(uint*)(output0 + (3 * (nint)x)) = bytes.GetElement(0);
                *(uint*)(output1 + (3 * (nint)x)) = bytes.GetUpper().ToScalar();
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Vertical(AxisPlan plan, int output, byte* ring, nint stride, int mask, byte* row, int bytes)
    {
        var pairs = plan.Pairs;
        var start = plan.Starts[output];
        fixed (short* allWeights = plan.PairWeights)
        {
            var outputWeights = (int*)(allWeights + ((nint)output * pairs * 4));
            for (nint x = 0; x < bytes; x += Vector256<byte>.Count)
            {
                var weights = outputWeights;
                Vector256<int> upper0 = default, upper1 = default, upper2 = default, upper3 = default;
                Vector256<int> lower0 = default, lower1 = default, lower2 = default, lower3 = default;
                for (var pair = 0; pair < pairs; pair++)
                {
                    var tap = start + (2 * pair);
                    var first = Vector256.Load(ring + ((tap & mask) * stride) + x);
                    var second = Vector256.Load(ring + (((tap + 1) & mask) * stride) + x);
                    var low = Avx2.UnpackLow(first, second);
                    var high = Avx2.UnpackHigh(first, second);
                    var pixels0 = Avx2.UnpackLow(low, Vector256<byte>.Zero).AsInt16();
                    var pixels1 = Avx2.UnpackHigh(low, Vector256<byte>.Zero).AsInt16();
                    var pixels2 = Avx2.UnpackLow(high, Vector256<byte>.Zero).AsInt16();
                    var pixels3 = Avx2.UnpackHigh(high, Vector256<byte>.Zero).AsInt16();
                    var upperWeights = Vector256.Create(weights[0]).AsInt16();
                    var lowerWeights = Vector256.Create(weights[1]).AsInt16();
                    upper0 += Avx2.MultiplyAddAdjacent(pixels0, upperWeights);
                    upper1 += Avx2.MultiplyAddAdjacent(pixels1, upperWeights);
                    upper2 += Avx2.MultiplyAddAdjacent(pixels2, upperWeights);
                    upper3 += Avx2.MultiplyAddAdjacent(pixels3, upperWeights);
                    lower0 += Avx2.MultiplyAddAdjacent(pixels0, lowerWeights);
                    lower1 += Avx2.MultiplyAddAdjacent(pixels1, lowerWeights);
                    lower2 += Avx2.MultiplyAddAdjacent(pixels2, lowerWeights);
                    lower3 += Avx2.MultiplyAddAdjacent(pixels3, lowerWeights);
                    weights += 2;
                }

                // Packing undoes unpacking: both work within 128-bit halves.
                var words0 = Avx2.PackSignedSaturate(Round(upper0, lower0), Round(upper1, lower1));
                var words1 = Avx2.PackSignedSaturate(Round(upper2, lower2), Round(upper3, lower3));
                Avx2.PackUnsignedSaturate(words0, words1).Store(row + x);
            }
        }
    }

    private static Vector256<int> Round(Vector256<int> upper, Vector256<int> lower) =>
        ((upper << AxisPlan.SplitBits) + lower + Vector256.Create(1 << (AxisPlan.FractionBits - 1))) >> AxisPlan.FractionBits;
}
