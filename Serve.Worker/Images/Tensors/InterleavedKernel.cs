using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serve.Worker.Images.Tensors;

/// <summary>RGB pixels into pixels of bytes in another order. Each does whole steps and returns how many pixels that were; the rest is the caller's.</summary>
internal static unsafe class InterleavedKernel
{
    private const byte No = 0x80;

    /// <summary>RGB to BGR, five pixels at a step.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int Reverse(byte* row, int pixels, byte* output)
    {
        // Sixteen bytes are read and written for fifteen: the next step writes the last one again, so a sixth pixel must follow.
        var order = Vector128.Create((byte)2, 1, 0, 5, 4, 3, 8, 7, 6, 11, 10, 9, 14, 13, 12, 15);
        var done = 0;
        for (; done <= pixels - 6; done += 5)
            Vector128.Shuffle(Vector128.Load(row + (3 * done)), order).Store(output + (3 * done));

        return done;
    }

    /// <summary>The first level of each pixel: of a grey picture, all three are alike. Sixteen pixels at a step.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int TakeFirst(byte* row, int pixels, byte* output)
    {
        var done = 0;
        for (; done <= pixels - 16; done += 16)
        {
            var pixel = row + (3 * done);
            var levels = Vector128.Shuffle(Vector128.Load(pixel), Vector128.Create(0, 3, 6, 9, 12, 15, No, No, No, No, No, No, No, No, No, No))
                | Vector128.Shuffle(Vector128.Load(pixel + 16), Vector128.Create(No, No, No, No, No, No, 2, 5, 8, 11, 14, No, No, No, No, No))
                | Vector128.Shuffle(Vector128.Load(pixel + 32), Vector128.Create(No, No, No, No, No, No, No, No, No, No, No, 1, 4, 7, 10, 13));
            levels.Store(output + done);
        }

        return done;
    }
}
