using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Serve.Benchmarks.Reporting;

/// <summary>A run as it is kept: <c>artifacts/bench/DATE.json</c>.</summary>
/// <param name="Surroundings">Where it was measured.</param>
/// <param name="Settings">The options that it was measured with.</param>
/// <param name="Figures">What was measured.</param>
/// <param name="Omissions">What could not be.</param>
internal sealed record ReportFile(Surroundings Surroundings, BenchmarkSettings Settings, IReadOnlyList<Figure> Figures, IReadOnlyList<Omission> Omissions)
{
    /// <summary>Writes it.</summary>
    /// <returns>Its path.</returns>
    public string Write(string folder)
    {
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, Surroundings.Date.ToString("yyyy-MM-dd'T'HHmmss", CultureInfo.InvariantCulture) + ".json");
        File.WriteAllText(path, JsonSerializer.Serialize(this, ReportJson.Default.ReportFile));
        return path;
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, UseStringEnumConverter = true)]
[JsonSerializable(typeof(ReportFile))]
internal sealed partial class ReportJson : JsonSerializerContext;
