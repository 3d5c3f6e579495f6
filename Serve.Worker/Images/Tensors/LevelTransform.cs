using System.Runtime.Intrinsics;

namespace Serve.Worker.Images.Tensors;

/// <summary>
/// From a level, 0 to 255, to a value of the tensor: <c>(level · scale − mean) / std</c>, each step rounded to float32 as torch does.
/// The table is the definition. The vector formula divides by multiplying with a reciprocal of twice the precision, which
/// gives the same bits; that is checked for all 256 levels, and the table is used should one differ.
/// </summary>
internal sealed class LevelTransform
{
    // scale and 1/std, each as the sum of two floats; the low parts carry what the high ones round away.
    private readonly float _scaleHigh;
    private readonly float _scaleLow;
    private readonly float _mean;
    private readonly float _inverseHigh;
    private readonly float _inverseLow;

    public LevelTransform(double scale, double mean, double std)
    {
        // 1/255 is no float: ToTensor divides, and so does the table. Any other scale is a float and multiplies.
        var dividesBy255 = scale == 1.0 / 255;
        _scaleHigh = (float)scale;
        _scaleLow = dividesBy255 ? (float)(scale - _scaleHigh) : 0;
        _mean = (float)mean;
        var deviation = (float)std;
        _inverseHigh = (float)(1.0 / deviation);
        _inverseLow = (float)((1.0 / deviation) - _inverseHigh);

        for (var level = 0; level < 256; level++)
        {
            var scaled = dividesBy255 ? level / 255f : level * _scaleHigh;
            Single[level] = (scaled - _mean) / deviation;
            Half[level] = (Half)Single[level];
        }

        VectorIsExact = Vector128.IsHardwareAccelerated && Enumerable.Range(0, 256).All(GivesTheTablesBits);
    }

    /// <summary>The value of each level.</summary>
    public float[] Single { get; } = new float[256];

    /// <summary>The value of each level in 16 bits.</summary>
    public Half[] Half { get; } = new Half[256];

    /// <summary>Whether the vector formula gives the table's bits for every level.</summary>
    public bool VectorIsExact { get; }

    /// <summary>The formula's constants for four levels at once, to be kept in registers over a row.</summary>
    public Formula128 LoadFormula128() => new(
        Vector128.Create(_scaleHigh), Vector128.Create(_scaleLow), Vector128.Create(_mean), Vector128.Create(_inverseHigh), Vector128.Create(_inverseLow));

    /// <summary>The formula's constants for eight levels at once.</summary>
    public Formula256 LoadFormula256() => new(
        Vector256.Create(_scaleHigh), Vector256.Create(_scaleLow), Vector256.Create(_mean), Vector256.Create(_inverseHigh), Vector256.Create(_inverseLow));

    private bool GivesTheTablesBits(int level) =>
        BitConverter.SingleToInt32Bits(LoadFormula128().Apply(Vector128.Create((float)level)).ToScalar()) == BitConverter.SingleToInt32Bits(Single[level]);

    internal readonly record struct Formula128(
        Vector128<float> ScaleHigh, Vector128<float> ScaleLow, Vector128<float> Mean, Vector128<float> InverseHigh, Vector128<float> InverseLow)
    {
        public Vector128<float> Apply(Vector128<float> levels)
        {
            var scaled = Vector128.FusedMultiplyAdd(levels, ScaleHigh, levels * ScaleLow);
            var centred = scaled - Mean;
            return Vector128.FusedMultiplyAdd(centred, InverseHigh, centred * InverseLow);
        }
    }

    internal readonly record struct Formula256(
        Vector256<float> ScaleHigh, Vector256<float> ScaleLow, Vector256<float> Mean, Vector256<float> InverseHigh, Vector256<float> InverseLow)
    {
        public Vector256<float> Apply(Vector256<float> levels)
        {
            var scaled = Vector256.FusedMultiplyAdd(levels, ScaleHigh, levels * ScaleLow);
            var centred = scaled - Mean;
            return Vector256.FusedMultiplyAdd(centred, InverseHigh, centred * InverseLow);
        }
    }
}
