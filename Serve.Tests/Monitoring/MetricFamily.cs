using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.RegularExpressions;
using Prometheus;
using Serve.Core.Devices;
using Serve.Core.Observability;

namespace Serve.Tests.Monitoring;

/// <summary>One of the metrics that a scrape can have.</summary>
/// <param name="Name">Its name, without a histogram's suffixes.</param>
/// <param name="Type"><c>counter</c>, <c>gauge</c> or <c>histogram</c>.</param>
/// <param name="Labels">Names of its labels.</param>
/// <param name="Help">What it is.</param>
internal sealed partial record MetricFamily(string Name, string Type, IReadOnlyList<string> Labels, string Help)
{
    /// <summary>All that the server has, whether they have series now or not, in the order in which they are declared.</summary>
    public static async Task<IReadOnlyList<MetricFamily>> AllAsync()
    {
        var declared = Declared().Concat(TorchServeFamily.All.Select(family => new MetricFamily(family.Name, family.Type, family.Labels, family.Meaning))).ToList();
        var names = declared.Select(family => family.Name).ToHashSet(StringComparer.Ordinal);
        return [.. declared, .. (await ScrapedAsync()).Where(family => !names.Contains(family.Name))];
    }

    /// <summary>Those that only a machine with a GPU has.</summary>
    public static IReadOnlySet<string> OfGpus { get; } = Collectors(typeof(DeviceMetrics)).Select(metric => metric.Name)
        .Append(ServeMetrics.WorkerDeviceMemory.Name)
        .Concat(TorchServeFamily.All.Select(family => family.Name).Where(name => name.StartsWith("GPU", StringComparison.Ordinal)))
        .ToHashSet(StringComparer.Ordinal);

    /// <summary>A series' family: a histogram has three names.</summary>
    public static string NameOf(string series) => Suffix().Replace(series, "");

    private static IEnumerable<MetricFamily> Declared() =>
        typeof(ServeMetrics).Assembly.GetTypes().OrderBy(type => type == typeof(ServeMetrics) ? 0 : 1)
            .SelectMany(Collectors)
            .Select(metric => new MetricFamily(metric.Name, metric.GetType().Name.ToLowerInvariant(), metric.LabelNames, metric.Help));

    private static IEnumerable<Collector> Collectors(Type type) =>
        type.GetFields(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public)
            .Where(field => typeof(Collector).IsAssignableFrom(field.FieldType))
            .OrderBy(field => field.MetadataToken)
            .Select(field => (Collector)field.GetValue(null)!);

    // What the library adds by itself. Other names are those of other tests.
    private static async Task<IEnumerable<MetricFamily>> ScrapedAsync()
    {
        RuntimeHelpers.RunClassConstructor(typeof(ServeMetrics).TypeHandle);
        DeviceMetrics.Update(Array.Empty<DeviceReading>());
        using var scrape = new MemoryStream();
        await ServeMetrics.Registry.CollectAndExportAsTextAsync(scrape);
        var text = Encoding.UTF8.GetString(scrape.ToArray());
        return Head().Matches(text).Where(head => Process().IsMatch(head.Groups["name"].Value)).Select(head =>
        {
            var name = head.Groups["name"].Value;
            var series = Regex.Match(text, $@"^{name}\{{([^}}]*)\}}", RegexOptions.Multiline).Groups[1].Value;
            return new MetricFamily(name, head.Groups["type"].Value, [.. Label().Matches(series).Select(label => label.Groups[1].Value)], head.Groups["help"].Value.TrimEnd('.') + ".");
        });
    }

    [GeneratedRegex(@"^# HELP (?<name>\S+) (?<help>.*)\n# TYPE \S+ (?<type>\w+)$", RegexOptions.Multiline)]
    private static partial Regex Head();

    [GeneratedRegex("^(serve|process|dotnet|prometheus_net)_")]
    private static partial Regex Process();

    [GeneratedRegex("([a-z_]+)=\"")]
    private static partial Regex Label();

    [GeneratedRegex("_(bucket|sum|count)$")]
    private static partial Regex Suffix();
}
