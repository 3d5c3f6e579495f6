using System.Runtime.CompilerServices;

namespace Serve.Worker.Images.Resampling;

/// <summary>The loops in plain integers: PIL's own, and the reference of the vector paths.</summary>
internal readonly unsafe struct ScalarKernel : IResampleKernel
{
    private const int Half = 1 << (AxisPlan.FractionBits - 1);

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
        var start = plan.Starts[output];
        var weights = plan.Weights.AsSpan(output * plan.Taps, plan.Taps);
        for (var x = 0; x < bytes; x++)
        {
            var sum = Half;
            for (var tap = 0; tap < weights.Length; tap++)
                sum += weights[tap] * ring[(((start + tap) & mask) * stride) + x];
            row[x] = Clip(sum);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void HorizontalRow(AxisPlan plan, byte* row, byte* output, int from, int to)
    {
        for (var x = from; x < to; x++)
        {
            var pixel = row + (3 * (nint)plan.Starts[x]);
            int red = Half, green = Half, blue = Half;
            foreach (var weight in plan.Weights.AsSpan(x * plan.Taps, plan.Taps))
            {
                red += weight * pixel[0];
                green += weight * pixel[1];
                blue += weight * pixel[2];
                pixel += 3;
            }

            output[3 * x] = Clip(red);
            output[(3 * x) + 1] = Clip(green);
            output[(3 * x) + 2] = Clip(blue);
        }
    }

    private static byte Clip(int sum) => (byte)Math.Clamp(sum >> AxisPlan.FractionBits, 0, 255);
}
