using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.RegularExpressions;
using Prometheus;
using Serve.Core.Devices;
using Serve.Core.Observability;

namespace Serve.Tests.Frontend.Metrics;

/// <summary>docs/metrics.md has every family that a scrape can have, and no other.</summary>
public sealed partial class MetricsDocumentTests
{
    private static readonly string Document = File.ReadAllText(Path.Combine(Repository.Root, "docs", "metrics.md"));

    [Fact]
    public async Task Every_metric_is_documented_and_every_documented_one_is_there() =>
        Assert.Equal((await OurFamiliesAsync()).Concat(TorchServeFamily.All.Select(family => family.Name)).Order(StringComparer.Ordinal), DocumentedNames());

    [Fact]
    public void The_questions_ask_for_metrics_that_are_there()
    {
        var names = DocumentedNames().ToHashSet();
        var asked = Name().Matches(Document[Document.IndexOf("```promql", StringComparison.Ordinal)..]).Select(match => Suffix().Replace(match.Value, ""));
        Assert.All(asked, name => Assert.Contains(name, names));
    }

    // Fields, and what a static constructor makes without one.
    private static async Task<IEnumerable<string>> OurFamiliesAsync()
    {
        DeviceMetrics.Update(Array.Empty<DeviceReading>());
        RuntimeHelpers.RunClassConstructor(typeof(ServeMetrics).TypeHandle);
        var fields = typeof(ServeMetrics).Assembly.GetTypes()
            .SelectMany(type => type.GetFields(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public))
            .Where(field => typeof(Collector).IsAssignableFrom(field.FieldType))
            .Select(field => ((Collector)field.GetValue(null)!).Name);
        using var text = new MemoryStream();
        await ServeMetrics.Registry.CollectAndExportAsTextAsync(text);
        var scraped = Type().Matches(Encoding.UTF8.GetString(text.ToArray())).Select(match => match.Groups[1].Value).Where(name => name.StartsWith("serve_", StringComparison.Ordinal));
        return fields.Concat(scraped).Distinct();
    }

    private static IEnumerable<string> DocumentedNames() => Document.Split('\n')
        .Where(line => line.StartsWith("| `", StringComparison.Ordinal))
        .Select(line => line.Split('|'))
        .Where(cells => cells.Length == 5)
        .SelectMany(cells => Quoted().Matches(cells[1]).Select(match => match.Groups[1].Value))
        .Where(name => !name.EndsWith('*'))
        .Order(StringComparer.Ordinal);

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Quoted();

    [GeneratedRegex("serve_[a-z_0-9]+")]
    private static partial Regex Name();

    [GeneratedRegex("_(bucket|sum|count)$")]
    private static partial Regex Suffix();

    [GeneratedRegex("^# TYPE (\\S+) ", RegexOptions.Multiline)]
    private static partial Regex Type();
}
