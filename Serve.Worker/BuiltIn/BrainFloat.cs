namespace Serve.Worker.BuiltIn;

/// <summary>bfloat16: the upper half of a float32.</summary>
internal static class BrainFloat
{
    /// <summary>The largest float32 that does not round up to infinity.</summary>
    public static double MaxValue { get; } = BitConverter.UInt32BitsToSingle(0x7F7F_7FFF);

    /// <summary>Rounds to the nearest, ties to even, as hardware does.</summary>
    public static ushort FromSingle(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value)) return (ushort)((bits >> 16) | 0x40); // quiet, and never mistaken for infinity
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    public static float ToSingle(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);
}
