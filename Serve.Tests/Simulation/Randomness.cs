namespace Serve.Tests.Simulation;

/// <summary>Seeded draws.</summary>
internal sealed class Randomness(ulong seed)
{
    private ulong _state = seed * 0x9E3779B97F4A7C15 + 0xD1B54A32D192ED03;

    /// <summary>In [0, 1).</summary>
    public double Uniform()
    {
        // SplitMix64, so that the figures do not depend on the runtime's generator.
        var z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return ((z ^ (z >> 31)) >> 11) * (1.0 / (1UL << 53));
    }

    public double Exponential(double mean) => -mean * Math.Log(1 - Uniform());

    /// <summary>Of mean 1.</summary>
    public double LogNormal(double sigma)
    {
        if (sigma == 0) return 1;
        var normal = Math.Sqrt(-2 * Math.Log(1 - Uniform())) * Math.Cos(2 * Math.PI * Uniform());
        return Math.Exp(sigma * normal - sigma * sigma / 2);
    }
}
