using System.Collections;

namespace Serve.Benchmarks.Processes;

/// <summary>
/// Variables of the caller's shell that would configure what is measured: the runtime's (<c>DOTNET_TieredPGO=0</c>, which makes
/// tests start sooner, costs the server a sixth of its answers and bare Kestrel less) and the server's own (<c>SERVE_…</c>).
/// </summary>
internal static class InheritedSettings
{
    // Of the SDK that built this, and where its runtime is: they change nothing that is measured.
    private static readonly string[] Harmless = ["DOTNET_ROOT", "DOTNET_CLI_", "DOTNET_NOLOGO", "DOTNET_HOST_PATH", "DOTNET_GENERATE_ASPNET_CERTIFICATE"];

    /// <summary>Removes them from this process's environment, which those that it starts inherit.</summary>
    /// <returns>What was removed, as <c>NAME=VALUE</c>.</returns>
    public static IReadOnlyList<string> Remove()
    {
        var removed = new List<string>();
        foreach (var (name, value) in Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().Select(entry => ((string)entry.Key, (string?)entry.Value)))
        {
            if (!IsSetting(name)) continue;
            Environment.SetEnvironmentVariable(name, null);
            removed.Add($"{name}={value}");
        }

        removed.Sort(StringComparer.Ordinal);
        return removed;
    }

    private static bool IsSetting(string name) =>
        name.StartsWith("SERVE_", StringComparison.Ordinal)
        || name.StartsWith("COMPlus_", StringComparison.Ordinal)
        || (name.StartsWith("DOTNET_", StringComparison.Ordinal) && !Harmless.Any(harmless => name.StartsWith(harmless, StringComparison.Ordinal)));
}
