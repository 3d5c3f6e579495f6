using Serve.Core.Observability;

namespace Serve.Core.Handlers.Metrics;

/// <summary>What a handler's metrics may be called, and how many they may be: they end in the server's scrape.</summary>
public static class MetricRules
{
    /// <summary>The most metrics of one handler.</summary>
    public const int MostMetrics = 100;

    /// <summary>The most series of one handler: all its metrics with all values of their dimensions.</summary>
    public const int MostSeries = 1000;

    /// <summary>The most dimensions of one metric.</summary>
    public const int MostDimensions = 8;

    /// <summary>The most buckets of a histogram.</summary>
    public const int MostBuckets = 50;

    /// <summary>The longest name, unit or value of a dimension.</summary>
    public const int LongestText = 128;

    private static readonly string[] ReservedPrefixes = ["serve_", "ts_", "process_", "dotnet_", "prometheus_net_"];
    private static readonly HashSet<string> ReservedNames = [.. TorchServeFamily.All.Select(family => family.Name)];
    private static readonly HashSet<string> ReservedDimensions = ["model", "version", "worker", "le", "quantile"];

    /// <summary>What is wrong with a metric's declaration; null if nothing is.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="unit">Its unit.</param>
    /// <param name="dimensions">The names of its dimensions.</param>
    public static string? FaultOf(string name, string unit, IReadOnlyList<string> dimensions)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(unit);
        ArgumentNullException.ThrowIfNull(dimensions);
        if (!IsName(name)) return $"'{Shown(name)}' is no name of a metric; give ASCII letters, digits and underscores, the first no digit, at most {LongestText}";
        if (ReservedNames.Contains(name) || ReservedPrefixes.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal))) return $"'{name}' is a name of the server's own metrics; give another";
        if (unit.Length > LongestText || unit.Any(char.IsControl)) return $"the unit of '{name}' is longer than {LongestText} characters, or has control characters";
        if (dimensions.Count > MostDimensions) return $"'{name}' has {dimensions.Count} dimensions; give at most {MostDimensions}";
        if (dimensions.FirstOrDefault(dimension => !IsName(dimension) || dimension.StartsWith("__", StringComparison.Ordinal) || ReservedDimensions.Contains(dimension)) is { } wrong)
            return $"'{Shown(wrong)}' cannot be a dimension of '{name}'; give ASCII letters, digits and underscores, and none of {string.Join(", ", ReservedDimensions)}";
        return dimensions.Distinct(StringComparer.Ordinal).Count() == dimensions.Count ? null : $"'{name}' has a dimension twice";
    }

    /// <summary>What is wrong with a histogram's buckets; null if nothing is.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="buckets">Upper limits, without the infinite one.</param>
    public static string? FaultOf(string name, IReadOnlyList<double> buckets)
    {
        ArgumentNullException.ThrowIfNull(buckets);
        if (buckets.Count is 0 or > MostBuckets || !buckets.All(double.IsFinite)) return $"'{name}' needs 1 to {MostBuckets} finite buckets";
        return buckets.Zip(buckets.Skip(1)).All(pair => pair.First < pair.Second) ? null : $"the buckets of '{name}' do not ascend";
    }

    /// <summary>A dimension's value as it is exported: not too long.</summary>
    /// <param name="value">The value.</param>
    internal static string Value(string value) => value.Length <= LongestText ? value : value[..LongestText];

    private static bool IsName(string name) =>
        name.Length is > 0 and <= LongestText && !char.IsAsciiDigit(name[0]) && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter == '_');

    private static string Shown(string text) => string.Concat(text.Take(LongestText).Select(letter => char.IsControl(letter) ? '?' : letter));
}
