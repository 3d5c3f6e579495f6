namespace Serve.Worker.Images.Resampling;

/// <summary>Colour to grey as PIL's <c>convert("L")</c>: ITU-R 601 in 16-bit fixed point.</summary>
internal static unsafe class LumaRow
{
    /// <summary>Pixels <paramref name="from"/> to <paramref name="to"/>; the grey level stands in all three channels of a pixel, so that the filters need no second form.</summary>
    public static void Convert(byte* row, byte* output, int from, int to)
    {
        for (nint i = 3 * (nint)from; i < 3 * (nint)to; i += 3)
        {
            var luma = (byte)(((row[i] * 19595) + (row[i + 1] * 38470) + (row[i + 2] * 7471) + 0x8000) >> 16);
            output[i] = luma;
            output[i + 1] = luma;
            output[i + 2] = luma;
        }
    }
}
