using YamlDotNet.Serialization;
using YamlDotNet.Serialization.NamingConventions;

namespace Serve.Tests.Monitoring;

/// <summary>The rules in configs/prometheus, and the cases of promtool that go with them.</summary>
internal static class PrometheusRules
{
    private static readonly IDeserializer Yaml = new DeserializerBuilder().WithNamingConvention(UnderscoredNamingConvention.Instance).IgnoreUnmatchedProperties().Build();

    /// <summary>The folder.</summary>
    public static string Folder { get; } = Path.Combine(EndToEnd.Repository.Root, "configs", "prometheus");

    /// <summary>Files with rules.</summary>
    public static string[] Files { get; } = [.. Directory.GetFiles(Path.Combine(Folder, "rules"), "*.yml").Order(StringComparer.Ordinal)];

    /// <summary>Files with cases.</summary>
    public static string[] CaseFiles { get; } = [.. Directory.GetFiles(Path.Combine(Folder, "tests"), "*.yml").Order(StringComparer.Ordinal)];

    /// <summary>All rules.</summary>
    public static IReadOnlyList<Rule> All { get; } = [.. Files.SelectMany(file => Yaml.Deserialize<RuleFile>(File.ReadAllText(file)).Groups).SelectMany(group => group.Rules)];

    /// <summary>Those that alert.</summary>
    public static IReadOnlyList<Rule> Alerts { get; } = [.. All.Where(rule => rule.Alert.Length > 0)];

    /// <summary>Names of series that others make.</summary>
    public static IReadOnlySet<string> Recorded { get; } = All.Where(rule => rule.Record.Length > 0).Select(rule => rule.Record).ToHashSet(StringComparer.Ordinal);

    /// <summary>All cases: an alert's name, and how many of it there must be.</summary>
    public static IReadOnlyList<(string Alert, int Expected)> Cases { get; } =
        [.. CaseFiles.SelectMany(file => Yaml.Deserialize<CaseFile>(File.ReadAllText(file)).Tests).SelectMany(test => test.AlertRuleTest).Select(test => (test.Alertname, test.ExpAlerts.Count))];

    /// <summary>A rule: either of <see cref="Alert"/> and <see cref="Record"/> is its name.</summary>
    internal sealed record Rule
    {
        public string Alert { get; init; } = "";

        public string Record { get; init; } = "";

        public string Expr { get; init; } = "";

        public string Name => Alert + Record;

        public Dictionary<string, string> Labels { get; init; } = [];

        public Dictionary<string, string> Annotations { get; init; } = [];
    }

    private sealed record RuleFile
    {
        public List<Group> Groups { get; init; } = [];
    }

    private sealed record Group
    {
        public List<Rule> Rules { get; init; } = [];
    }

    private sealed record CaseFile
    {
        public List<Case> Tests { get; init; } = [];
    }

    private sealed record Case
    {
        public List<AlertCase> AlertRuleTest { get; init; } = [];
    }

    private sealed record AlertCase
    {
        public string Alertname { get; init; } = "";

        public List<object> ExpAlerts { get; init; } = [];
    }
}
