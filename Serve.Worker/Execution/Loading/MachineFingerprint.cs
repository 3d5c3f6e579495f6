using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Serve.Worker.Execution.Loading;

/// <summary>What of a machine decides how ONNX Runtime lays out weights for it: the processor and what it can do.</summary>
internal static class MachineFingerprint
{
    private static readonly string[] Fields = ["vendor_id", "model name", "cpu family", "model", "stepping", "flags", "Features", "CPU implementer", "CPU part"];

    public static string Current { get; } = $"{RuntimeInformation.OSArchitecture} {RuntimeInformation.RuntimeIdentifier}\n{Processor()}";

    private static string Processor() => File.Exists("/proc/cpuinfo")
        ? OfProcessor(File.ReadLines("/proc/cpuinfo"))
        : $"{Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER")} avx2={Avx2.IsSupported} avx512={Avx512F.IsSupported} vnni={AvxVnni.IsSupported}";

    /// <summary>The first processor of the system's list; all of them are alike, but for their speed and number.</summary>
    internal static string OfProcessor(IEnumerable<string> lines) => string.Join('\n', lines
        .TakeWhile(line => line.Length > 0)
        .Where(line => Fields.Contains(line.Split(':')[0].Trim(), StringComparer.Ordinal)));
}
