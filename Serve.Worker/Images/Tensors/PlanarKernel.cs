using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serve.Worker.Images.Tensors;

/// <summary>RGB pixels taken apart into three planes of levels, sixteen pixels at a step.</summary>
internal static unsafe class PlanarKernel
{
    public const int PixelsPerStep = 16;

    /// <summary>Does whole steps and returns how many pixels that were; the rest is the caller's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int Separate(byte* row, int pixels, byte* red, byte* green, byte* blue)
    {
        var done = 0;
        for (; done <= pixels - PixelsPerStep; done += PixelsPerStep)
        {
            SeparateStep(row + (3 * done), out var r, out var g, out var b);
            r.Store(red + done);
            g.Store(green + done);
            b.Store(blue + done);
        }

        return done;
    }

    /// <summary>48 bytes of sixteen pixels into sixteen levels of each colour.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SeparateStep(byte* pixels, out Vector128<byte> red, out Vector128<byte> green, out Vector128<byte> blue)
    {
        const byte No = 0x80;
        var first = Vector128.Load(pixels);
        var second = Vector128.Load(pixels + 16);
        var third = Vector128.Load(pixels + 32);
        red = Vector128.Shuffle(first, Vector128.Create(0, 3, 6, 9, 12, 15, No, No, No, No, No, No, No, No, No, No))
            | Vector128.Shuffle(second, Vector128.Create(No, No, No, No, No, No, 2, 5, 8, 11, 14, No, No, No, No, No))
            | Vector128.Shuffle(third, Vector128.Create(No, No, No, No, No, No, No, No, No, No, No, 1, 4, 7, 10, 13));
        green = Vector128.Shuffle(first, Vector128.Create(1, 4, 7, 10, 13, No, No, No, No, No, No, No, No, No, No, No))
            | Vector128.Shuffle(second, Vector128.Create(No, No, No, No, No, 0, 3, 6, 9, 12, 15, No, No, No, No, No))
            | Vector128.Shuffle(third, Vector128.Create(No, No, No, No, No, No, No, No, No, No, No, 2, 5, 8, 11, 14));
        blue = Vector128.Shuffle(first, Vector128.Create(2, 5, 8, 11, 14, No, No, No, No, No, No, No, No, No, No, No))
            | Vector128.Shuffle(second, Vector128.Create(No, No, No, No, No, 1, 4, 7, 10, 13, No, No, No, No, No, No))
            | Vector128.Shuffle(third, Vector128.Create(No, No, No, No, No, No, No, No, No, No, 0, 3, 6, 9, 12, 15));
    }
}
