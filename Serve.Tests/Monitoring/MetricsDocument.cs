using System.Text;
using System.Text.RegularExpressions;
using Serve.Core.Observability;

namespace Serve.Tests.Monitoring;

/// <summary>docs/metrics.md: its tables are made of the server's own metrics, what stands around them is written by hand.</summary>
internal static partial class MetricsDocument
{
    private static readonly string[] TorchServe = [.. TorchServeFamily.All.Select(family => family.Name)];

    // A table takes what no table before it has taken.
    private static readonly (string Table, Func<MetricFamily, bool> Has)[] Tables =
    [
        ("torchserve", family => TorchServe.Contains(family.Name)),
        ("process", family => !Is(family, "serve_")),
        ("cache", family => Is(family, "serve_response_cache_")),
        ("devices", family => Is(family, "serve_device_")),
        ("server", family => !family.Labels.Contains("model")),
        ("workers", family => Is(family, "serve_worker", "serve_model_", "serve_autoscale_")),
        ("load", family => Is(family, "serve_headroom_", "serve_arrivals_", "serve_batch_cost_", "serve_batch_fill_", "serve_predicted_", "serve_latency_target_")),
        ("queue", family => Is(family, "serve_batch_size", "serve_queue_")),
        ("requests", _ => true),
    ];

    public static string Path { get; } = System.IO.Path.Combine(EndToEnd.Repository.Root, "docs", "metrics.md");

    /// <summary>The page with all its tables written anew.</summary>
    /// <param name="page">As it is.</param>
    /// <param name="families">All metrics.</param>
    /// <exception cref="InvalidOperationException">It has no place for some of them.</exception>
    public static string Write(string page, IReadOnlyList<MetricFamily> families)
    {
        var rows = families.ToLookup(family => Tables.First(table => table.Has(family)).Table, StringComparer.Ordinal);
        var places = Place().Matches(page).Select(place => place.Groups["table"].Value).ToList();
        var missing = rows.Select(table => table.Key).Except(places).Concat(places.Except(rows.Select(table => table.Key))).ToList();
        if (missing.Count > 0) throw new InvalidOperationException($"Tables and places for them differ: {string.Join(", ", missing)}.");

        return Place().Replace(page, place => $"{place.Groups["begin"].Value}\n{Table(rows[place.Groups["table"].Value])}{place.Groups["end"].Value}");
    }

    private static string Table(IEnumerable<MetricFamily> families)
    {
        var text = new StringBuilder("| metric | type | labels | is |\n| --- | --- | --- | --- |\n");
        foreach (var family in families)
        {
            var labels = string.Join(", ", family.Labels.Select(label => $"`{label}`"));
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"| `{family.Name}` | {family.Type} | {labels} | {family.Help.Replace("|", "\\|", StringComparison.Ordinal)} |\n");
        }

        return text.ToString();
    }

    private static bool Is(MetricFamily family, params ReadOnlySpan<string> prefixes)
    {
        foreach (var prefix in prefixes)
        {
            if (family.Name.StartsWith(prefix, StringComparison.Ordinal)) return true;
        }

        return false;
    }

    [GeneratedRegex(@"(?<begin><!-- table (?<table>\w+): written by make metrics -->)\n.*?(?<end><!-- end -->)", RegexOptions.Singleline)]
    private static partial Regex Place();
}
