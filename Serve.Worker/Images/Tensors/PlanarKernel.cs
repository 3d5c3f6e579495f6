using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serve.Worker.Images.Tensors;

/// <summary>A row of RGB pixels taken apart into three planes, sixteen pixels at a step. Each method returns how many pixels it did; the caller does the rest by table.</summary>
internal static unsafe class PlanarKernel
{
    private const int PixelsPerStep = 16;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int WriteLevels(byte* row, int pixels, byte* red, byte* green, byte* blue)
    {
        var done = 0;
        for (; done <= pixels - PixelsPerStep; done += PixelsPerStep)
        {
            Separate(row + (3 * done), out var r, out var g, out var b);
            r.Store(red + done);
            g.Store(green + done);
            b.Store(blue + done);
        }

        return done;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int WriteFloats256(byte* row, int pixels, float* red, float* green, float* blue, LevelTransform redTransform, LevelTransform greenTransform, LevelTransform blueTransform)
    {
        var redFormula = redTransform.LoadFormula256();
        var greenFormula = greenTransform.LoadFormula256();
        var blueFormula = blueTransform.LoadFormula256();
        var done = 0;
        for (; done <= pixels - PixelsPerStep; done += PixelsPerStep)
        {
            Separate(row + (3 * done), out var r, out var g, out var b);
            Store256(r, redFormula, red + done);
            Store256(g, greenFormula, green + done);
            Store256(b, blueFormula, blue + done);
        }

        return done;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int WriteFloats128(byte* row, int pixels, float* red, float* green, float* blue, LevelTransform redTransform, LevelTransform greenTransform, LevelTransform blueTransform)
    {
        var redFormula = redTransform.LoadFormula128();
        var greenFormula = greenTransform.LoadFormula128();
        var blueFormula = blueTransform.LoadFormula128();
        var done = 0;
        for (; done <= pixels - PixelsPerStep; done += PixelsPerStep)
        {
            Separate(row + (3 * done), out var r, out var g, out var b);
            Store128(r, redFormula, red + done);
            Store128(g, greenFormula, green + done);
            Store128(b, blueFormula, blue + done);
        }

        return done;
    }

    /// <summary>48 bytes of sixteen pixels into sixteen levels of each colour.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Separate(byte* pixels, out Vector128<byte> red, out Vector128<byte> green, out Vector128<byte> blue)
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store256(Vector128<byte> levels, in LevelTransform.Formula256 formula, float* plane)
    {
        var words = Vector256.WidenLower(levels.ToVector256Unsafe());
        formula.Apply(Vector256.ConvertToSingle(Vector256.WidenLower(words).AsInt32())).Store(plane);
        formula.Apply(Vector256.ConvertToSingle(Vector256.WidenUpper(words).AsInt32())).Store(plane + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store128(Vector128<byte> levels, in LevelTransform.Formula128 formula, float* plane)
    {
        var (low, high) = Vector128.Widen(levels);
        formula.Apply(Vector128.ConvertToSingle(Vector128.WidenLower(low).AsInt32())).Store(plane);
        formula.Apply(Vector128.ConvertToSingle(Vector128.WidenUpper(low).AsInt32())).Store(plane + 4);
        formula.Apply(Vector128.ConvertToSingle(Vector128.WidenLower(high).AsInt32())).Store(plane + 8);
        formula.Apply(Vector128.ConvertToSingle(Vector128.WidenUpper(high).AsInt32())).Store(plane + 12);
    }
}
