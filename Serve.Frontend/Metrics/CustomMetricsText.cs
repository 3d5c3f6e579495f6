using System.Globalization;
using System.Text;
using Serve.Core.Handlers.Metrics;
using Serve.Core.Models;
using Serve.Core.Observability.Custom;

namespace Serve.Frontend.Metrics;

/// <summary>The metrics of models' handlers as Prometheus text. Names and numbers of series were bounded when workers told of them.</summary>
internal static class CustomMetricsText
{
    /// <summary>The text of a scrape.</summary>
    public static byte[] Write(IReadOnlyList<ModelVersion> versions) =>
        Write(versions.SelectMany(version => version.Metrics.Custom.Collect().Select(family => (version.Name, version.Version, family))));

    /// <summary>Where two models mean different things by one name, the first one's are exported: a family has one type.</summary>
    public static byte[] Write(IEnumerable<(string Model, string Version, CustomFamily Family)> families)
    {
        var text = new StringBuilder();
        var ordered = families.OrderBy(family => family.Model, StringComparer.Ordinal).ThenBy(family => family.Version, StringComparer.Ordinal);
        foreach (var name in ordered.GroupBy(family => family.Family.Name, StringComparer.Ordinal).OrderBy(name => name.Key, StringComparer.Ordinal))
        {
            var first = name.First().Family;
            var unit = first.Unit.Length > 0 ? $"; unit: {first.Unit.Replace("\\", "\\\\", StringComparison.Ordinal)}" : "";
            var type = first.Type.ToString().ToLowerInvariant();
            text.Append(CultureInfo.InvariantCulture, $"# HELP {name.Key} Told by a model's handler{unit}.\n# TYPE {name.Key} {type}\n");
            foreach (var (model, version, family) in name.Where(family => family.Family.Type == first.Type))
            {
                foreach (var series in family.Series) Add(text, family, series, Labels(model, version, family, series));
            }
        }

        return Encoding.UTF8.GetBytes(text.ToString());
    }

    private static void Add(StringBuilder text, CustomFamily family, CustomSeries series, string labels)
    {
        if (family.Type != MetricType.Histogram)
        {
            Line(text, family.Name, labels, series.Value);
            return;
        }

        long count = 0;
        for (var i = 0; i < series.Counts.Count; i++)
        {
            count += series.Counts[i];
            var limit = i < family.Buckets.Count ? family.Buckets[i].ToString("R", CultureInfo.InvariantCulture) : "+Inf";
            Line(text, family.Name + "_bucket", $"{labels},le=\"{limit}\"", count);
        }

        Line(text, family.Name + "_sum", labels, series.Value);
        Line(text, family.Name + "_count", labels, count);
    }

    private static void Line(StringBuilder text, string name, string labels, double value) =>
        text.Append(name).Append('{').Append(labels).Append("} ").Append(value.ToString("R", CultureInfo.InvariantCulture)).Append('\n');

    private static string Labels(string model, string version, CustomFamily family, CustomSeries series)
    {
        var labels = new StringBuilder();
        Add("model", model);
        Add("version", version);
        if (series.Worker is { } worker) Add("worker", worker);
        for (var i = 0; i < family.Dimensions.Count; i++) Add(family.Dimensions[i], series.Values[i]);
        return labels.ToString();

        void Add(string name, string value)
        {
            if (labels.Length > 0) labels.Append(',');
            labels.Append(name).Append("=\"")
                .Append(value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)).Append('"');
        }
    }
}
