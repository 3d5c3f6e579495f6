using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serve.Worker.Images.Tensors;

/// <summary>Levels of one channel into floats, sixteen at a step: the formula of <see cref="LevelTransform"/>, its constants in registers.</summary>
internal static unsafe class FloatKernel
{
    public const int LevelsPerStep = 16;

    /// <param name="levels">The levels, one after the other.</param>
    /// <param name="count">How many; a multiple of <see cref="LevelsPerStep"/>.</param>
    /// <param name="values">Room for as many.</param>
    /// <param name="transform">The channel's.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Write256(byte* levels, int count, float* values, LevelTransform transform)
    {
        var scaleHigh = Vector256.Create(transform.ScaleHigh);
        var scaleLow = Vector256.Create(transform.ScaleLow);
        var mean = Vector256.Create(transform.Mean);
        var inverseHigh = Vector256.Create(transform.InverseHigh);
        var inverseLow = Vector256.Create(transform.InverseLow);
        for (var i = 0; i < count; i += LevelsPerStep)
        {
            var words = Vector256.WidenLower(Vector128.Load(levels + i).ToVector256Unsafe());
            var first = Vector256.ConvertToSingle(Vector256.WidenLower(words).AsInt32());
            var second = Vector256.ConvertToSingle(Vector256.WidenUpper(words).AsInt32());
            first = Vector256.FusedMultiplyAdd(first, scaleHigh, first * scaleLow) - mean;
            second = Vector256.FusedMultiplyAdd(second, scaleHigh, second * scaleLow) - mean;
            Vector256.FusedMultiplyAdd(first, inverseHigh, first * inverseLow).Store(values + i);
            Vector256.FusedMultiplyAdd(second, inverseHigh, second * inverseLow).Store(values + i + 8);
        }
    }

    /// <inheritdoc cref="Write256"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Write128(byte* levels, int count, float* values, LevelTransform transform)
    {
        var scaleHigh = Vector128.Create(transform.ScaleHigh);
        var scaleLow = Vector128.Create(transform.ScaleLow);
        var mean = Vector128.Create(transform.Mean);
        var inverseHigh = Vector128.Create(transform.InverseHigh);
        var inverseLow = Vector128.Create(transform.InverseLow);
        for (var i = 0; i < count; i += LevelsPerStep)
        {
            var (low, high) = Vector128.Widen(Vector128.Load(levels + i));
            for (var half = 0; half < 2; half++)
            {
                var words = half == 0 ? low : high;
                var first = Vector128.ConvertToSingle(Vector128.WidenLower(words).AsInt32());
                var second = Vector128.ConvertToSingle(Vector128.WidenUpper(words).AsInt32());
                first = Vector128.FusedMultiplyAdd(first, scaleHigh, first * scaleLow) - mean;
                second = Vector128.FusedMultiplyAdd(second, scaleHigh, second * scaleLow) - mean;
                Vector128.FusedMultiplyAdd(first, inverseHigh, first * inverseLow).Store(values + i + (8 * half));
                Vector128.FusedMultiplyAdd(second, inverseHigh, second * inverseLow).Store(values + i + (8 * half) + 4);
            }
        }
    }
}
