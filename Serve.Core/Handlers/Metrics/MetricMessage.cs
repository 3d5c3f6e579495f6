using System.Text.Json.Serialization;

namespace Serve.Core.Handlers.Metrics;

/// <summary>A handler's metric, in a Gauge.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its kind.</param>
/// <param name="Unit">What it counts, for people.</param>
/// <param name="Dimensions">Names of its dimensions.</param>
/// <param name="Buckets">A histogram's upper limits, ascending, without the infinite one; null for the others.</param>
/// <param name="Series">Its series.</param>
public sealed record MetricMessage(
    string Name, MetricType Type, string Unit, IReadOnlyList<string> Dimensions, IReadOnlyList<double>? Buckets, IReadOnlyList<SeriesMessage> Series);

/// <summary>One series of a handler's metric; since the worker's start.</summary>
/// <param name="Values">A value for each dimension.</param>
/// <param name="Value">A counter's or gauge's value, the sum of a histogram.</param>
/// <param name="Counts">A histogram's values by bucket, each counted once, those above all limits last; null for the others.</param>
public sealed record SeriesMessage(IReadOnlyList<string> Values, double Value, IReadOnlyList<long>? Counts);

/// <summary>A kind of metric.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<MetricType>))]
public enum MetricType
{
    /// <summary>It only grows.</summary>
    Counter,

    /// <summary>It goes up and down.</summary>
    Gauge,

    /// <summary>How values are distributed.</summary>
    Histogram,
}
