using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using Serve.Worker.Images.Resampling;

namespace Serve.Worker.Images;

/// <summary>Which instructions the loops over pixels use. The results are the same bits.</summary>
internal enum SimdLevel
{
    Scalar,
    Vector128,
    Avx2,
}

internal static class SimdLevels
{
    /// <summary>The fastest that this processor has.</summary>
    public static SimdLevel Best { get; } =
        IsSupported(SimdLevel.Avx2) ? SimdLevel.Avx2
        : IsSupported(SimdLevel.Vector128) ? SimdLevel.Vector128
        : SimdLevel.Scalar;

    public static bool IsSupported(SimdLevel level) => level switch
    {
        SimdLevel.Avx2 => Avx2Kernel.IsSupported && Fma.IsSupported,
        SimdLevel.Vector128 => Vector128Kernel.IsSupported && (Fma.IsSupported || AdvSimd.IsSupported),
        _ => true,
    };
}
