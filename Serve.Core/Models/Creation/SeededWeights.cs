using System.Text;
using Serve.Core.Onnx;

namespace Serve.Core.Models.Creation;

/// <summary>
/// Random weights that are a function of the seed, the weight's name and the element's index, and of nothing else:
/// not of the machine, the version of .NET, the number of threads or the order of asking.
/// </summary>
/// <remarks>
/// <para>
/// Element <c>i</c> of a weight is made from 64 random bits: SplitMix64's output function at
/// <c>key + (i + 1) × 0x9E3779B97F4A7C15</c>, where <c>key</c> is the same function of <c>seed ⊕ FNV-1a(name)</c>.
/// The four 16-bit quarters of the bits are added; the sum, less its mean, is bell-shaped, has a known variance and ends
/// at 3.46 standard deviations, as truncated normals do.
/// </para>
/// <para>
/// Only integer arithmetic, one exact conversion, one multiplication and one addition in IEEE single precision are
/// used. Logarithms and cosines, which the usual recipes need, differ in the last bit between platforms.
/// </para>
/// </remarks>
internal sealed class SeededWeights(ulong seed, IEnumerable<VisionTransformerWeight> weights) : IWeightSource
{
    private const ulong Increment = 0x9E3779B97F4A7C15;

    /// <summary>The sum of four numbers that are uniform over 0 … 65535: its mean, and its variance of 4 × (65536² − 1) / 12.</summary>
    private const int MeanOfSum = 2 * ushort.MaxValue;
    private static readonly double DeviationOfSum = Math.Sqrt(((65536.0 * 65536.0) - 1) / 3);

    private readonly Dictionary<string, WeightDistribution> _distributions =
        weights.ToDictionary(weight => weight.Name, weight => weight.Distribution, StringComparer.Ordinal);

    public void Fill(OnnxWeight weight, long firstElement, Span<float> destination)
    {
        var distribution = _distributions[weight.Name];
        var mean = (float)distribution.Mean;
        var scale = (float)(distribution.StandardDeviation / DeviationOfSum);
        var counter = Scramble(seed ^ Fingerprint(weight.Name)) + ((ulong)firstElement * Increment);

        for (var i = 0; i < destination.Length; i++)
        {
            counter += Increment;
            var bits = Scramble(counter);
            var sum = (int)((bits & 0xFFFF) + ((bits >> 16) & 0xFFFF) + ((bits >> 32) & 0xFFFF) + (bits >> 48));
            destination[i] = mean + ((sum - MeanOfSum) * scale);
        }
    }

    /// <summary>SplitMix64's output function (Steele, Lea and Flood, 2014; Stafford's thirteenth variant).</summary>
    private static ulong Scramble(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }

    /// <summary>FNV-1a, 64 bits: string.GetHashCode differs in every process.</summary>
    private static ulong Fingerprint(string name)
    {
        var hash = 0xCBF29CE484222325;
        foreach (var octet in Encoding.UTF8.GetBytes(name))
        {
            hash = (hash ^ octet) * 0x100000001B3;
        }

        return hash;
    }
}
