using System.Text.Json;
using System.Text.RegularExpressions;

namespace Serve.Tests.Monitoring;

/// <summary>A dashboard of configs/grafana.</summary>
internal sealed partial class Dashboard
{
    private Dashboard(string file)
    {
        File = file;
        Json = JsonDocument.Parse(System.IO.File.ReadAllText(file)).RootElement;
        Panels = [.. Json.GetProperty("panels").EnumerateArray().SelectMany(WithInner).Select(panel => new Panel(panel))];
        Variables = [.. Json.GetProperty("templating").GetProperty("list").EnumerateArray().Select(variable => new Variable(variable))];
    }

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Dashboard> All { get; } =
        [.. Directory.GetFiles(Path.Combine(EndToEnd.Repository.Root, "configs", "grafana", "dashboards"), "*.json").Order(StringComparer.Ordinal).Select(file => new Dashboard(file))];

    public string File { get; }

    public string Name => Path.GetFileNameWithoutExtension(File);

    public JsonElement Json { get; }

    /// <summary>Its panels, rows and what is in rows.</summary>
    public IReadOnlyList<Panel> Panels { get; }

    public IReadOnlyList<Variable> Variables { get; }

    private static IEnumerable<JsonElement> WithInner(JsonElement panel) =>
        panel.TryGetProperty("panels", out var inner) ? [panel, .. inner.EnumerateArray()] : [panel];

    /// <summary>A panel, or a row.</summary>
    internal sealed class Panel(JsonElement json)
    {
        public JsonElement Json { get; } = json;

        public string Type => Json.GetProperty("type").GetString()!;

        public string Title => Json.GetProperty("title").GetString()!;

        /// <summary>What it asks Prometheus.</summary>
        public IReadOnlyList<string> Queries { get; } =
            json.TryGetProperty("targets", out var targets) ? [.. targets.EnumerateArray().Select(target => target.GetProperty("expr").GetString()!)] : [];
    }

    /// <summary>A variable; those that ask Prometheus have a label and what it is a label of.</summary>
    internal sealed partial class Variable(JsonElement json)
    {
        public string Name { get; } = json.GetProperty("name").GetString()!;

        /// <summary>The series whose label's values it has; null: it does not ask Prometheus.</summary>
        public string? Series => Asked.Success ? Asked.Groups[1].Value : null;

        public string Label => Asked.Groups[2].Value;

        private Match Asked { get; } = json.GetProperty("type").GetString() == "query" ? LabelValues().Match(json.GetProperty("query").GetProperty("query").GetString()!) : Match.Empty;

        [GeneratedRegex(@"^label_values\((.+), (\w+)\)$")]
        private static partial Regex LabelValues();
    }
}
