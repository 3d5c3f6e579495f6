using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serve.Worker.Images.Decoding.Png;

/// <summary>What deflate's output repeats of itself.</summary>
internal static unsafe class DeflateMatch
{
    /// <summary>Copies from within the output, also from what the copy itself writes. Writes up to 15 bytes too many.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="distance">How far back from there it begins; at least 1.</param>
    /// <param name="length">How many bytes; at least 1.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Copy(byte* output, int distance, int length)
    {
        var source = output - distance;
        var end = output + length;
        if (distance >= 16)
        {
            do
            {
                Vector128.Load(source).Store(output);
                source += 16;
                output += 16;
            }
            while (output < end);
        }
        else if (distance == 1)
        {
            var run = Vector128.Create(*source);
            do
            {
                run.Store(output);
                output += 16;
            }
            while (output < end);
        }
        else if (distance >= 8)
        {
            do
            {
                *(ulong*)output = *(ulong*)source;
                source += 8;
                output += 8;
            }
            while (output < end);
        }
        else
        {
            do
                *output++ = *source++;
            while (output < end);
        }
    }
}
