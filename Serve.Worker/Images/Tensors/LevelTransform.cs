namespace Serve.Worker.Images.Tensors;

/// <summary>
/// From a level, 0 to 255, to a value of the tensor: <c>(level · scale − mean) / std</c>, each step rounded to float32 as torch does.
/// The table is the definition. The vector formula of <see cref="FloatKernel"/> divides by multiplying with a reciprocal in twice the
/// precision, which gives the same bits; that is tried for all 256 levels, and the table is used should one differ.
/// </summary>
internal sealed unsafe class LevelTransform
{
    public LevelTransform(double scale, double mean, double std)
    {
        // 1/255 is no float: ToTensor divides, and so does the table. Any other scale is a float and multiplies.
        var dividesBy255 = scale == 1.0 / 255;
        ScaleHigh = (float)scale;
        ScaleLow = dividesBy255 ? (float)(scale - ScaleHigh) : 0;
        Mean = (float)mean;
        var deviation = (float)std;
        InverseHigh = (float)(1.0 / deviation);
        InverseLow = (float)((1.0 / deviation) - InverseHigh);

        for (var level = 0; level < 256; level++)
        {
            var scaled = dividesBy255 ? level / 255f : level * ScaleHigh;
            Single[level] = (scaled - Mean) / deviation;
            Half[level] = (Half)Single[level];
        }
    }

    /// <summary>The value of each level.</summary>
    public float[] Single { get; } = new float[256];

    /// <summary>The value of each level in 16 bits.</summary>
    public Half[] Half { get; } = new Half[256];

    /// <summary>The scale is the sum of this and <see cref="ScaleLow"/>, which carries what one float rounds away.</summary>
    public float ScaleHigh { get; }

    public float ScaleLow { get; }

    public float Mean { get; }

    /// <summary>1/std is the sum of this and <see cref="InverseLow"/>.</summary>
    public float InverseHigh { get; }

    public float InverseLow { get; }

    /// <summary>Whether the vector formula gives the table's bits for every level.</summary>
    public bool IsExact(SimdLevel simd)
    {
        if (simd == SimdLevel.Scalar)
            return true;

        Span<byte> levels = stackalloc byte[256];
        for (var level = 0; level < 256; level++)
            levels[level] = (byte)level;
        Span<float> values = stackalloc float[256];
        fixed (byte* from = levels)
        {
            fixed (float* to = values)
            {
                if (simd == SimdLevel.Avx2)
                    FloatKernel.Write256(from, 256, to, this);
                else
                    FloatKernel.Write128(from, 256, to, this);
            }
        }

        return System.Runtime.InteropServices.MemoryMarshal.AsBytes(values)
            .SequenceEqual(System.Runtime.InteropServices.MemoryMarshal.AsBytes(Single.AsSpan()));
    }
}
