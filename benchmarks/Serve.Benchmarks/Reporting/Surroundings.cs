using System.Globalization;
using System.Runtime.InteropServices;

namespace Serve.Benchmarks.Reporting;

/// <summary>Where and with what the figures were measured.</summary>
/// <param name="Date">When the run began.</param>
/// <param name="Processor">The processor's name.</param>
/// <param name="Processors">How many of them the program may use.</param>
/// <param name="MemoryBytes">The machine's memory.</param>
/// <param name="System">The operating system.</param>
/// <param name="Runtime">.NET's version.</param>
/// <param name="OnnxRuntime">ONNX Runtime's version.</param>
/// <param name="LoadAverage">How busy the machine was when the run began: others share it if this is not about 0.</param>
internal sealed record Surroundings(
    DateTimeOffset Date, string Processor, int Processors, long MemoryBytes, string System, string Runtime, string OnnxRuntime, double LoadAverage)
{
    public static Surroundings Now() => new(
        DateTimeOffset.Now,
        ProcessorName(),
        Environment.ProcessorCount,
        GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
        RuntimeInformation.OSDescription,
        RuntimeInformation.FrameworkDescription,
        Microsoft.ML.OnnxRuntime.OrtEnv.Instance().GetVersionString(),
        CurrentLoadAverage());

    /// <summary>Runnable processes, averaged over the last minute.</summary>
    public static double CurrentLoadAverage() => double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture);

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Date:yyyy-MM-dd HH:mm}, {Processors} x {Processor}, {MemoryBytes / (double)(1 << 30):0.#} GiB, {System}, {Runtime}, ONNX Runtime {OnnxRuntime}, load average {LoadAverage:0.0}");

    private static string ProcessorName()
    {
        var line = File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal));
        return line is null ? RuntimeInformation.ProcessArchitecture.ToString() : line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
    }
}
