using System.Globalization;
using Serve.Core.Configuration;
using Serve.LoadGenerator.Reporting;

namespace Serve.Frontend.Commands.Bench;

/// <summary>A bound that turns a load into a check: <c>p99=200ms</c>, <c>errors=1%</c>.</summary>
internal sealed class FailCondition
{
    private static readonly Dictionary<string, Func<BenchPoint, double>> Times = new(StringComparer.Ordinal)
    {
        ["mean"] = point => AtLeast(point.MeanMilliseconds, point.WithUnanswered?.MeanMilliseconds),
        ["p50"] = point => AtLeast(point.P50Milliseconds, point.WithUnanswered?.P50Milliseconds),
        ["p90"] = point => AtLeast(point.P90Milliseconds, point.WithUnanswered?.P90Milliseconds),
        ["p95"] = point => AtLeast(point.P95Milliseconds, point.WithUnanswered?.P95Milliseconds),
        ["p99"] = point => AtLeast(point.P99Milliseconds, point.WithUnanswered?.P99Milliseconds),
        ["max"] = point => AtLeast(point.MaxMilliseconds, point.WithUnanswered?.MaxMilliseconds),
    };

    private readonly string _text;
    private readonly Func<BenchPoint, double> _value;
    private readonly double _most;

    private FailCondition(string text, Func<BenchPoint, double> value, double most) => (_text, _value, _most) = (text, value, most);

    /// <summary>Reads a bound.</summary>
    /// <exception cref="CommandException">It is none.</exception>
    public static FailCondition Parse(string text)
    {
        var equals = text.IndexOf('=', StringComparison.Ordinal);
        var (name, bound) = equals < 0 ? (text, "") : (text[..equals].Trim(), text[(equals + 1)..].Trim());
        if (name == "errors" && bound.EndsWith('%') && double.TryParse(bound[..^1], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var percent)) return new(text, ErrorPercent, percent);
        if (Times.TryGetValue(name, out var time) && ValueText.Duration(bound, TimeSpan.FromSeconds(1)) is { } most) return new(text, time, most.TotalMilliseconds);
        throw new CommandException(ExitCode.Usage, $"--fail-over: '{text}' is not allowed; give one of {string.Join(", ", Times.Keys)} with a time, for example p99=200ms, or errors=1%.");
    }

    /// <summary>What is over the bound, for people; nothing if all is well.</summary>
    public IEnumerable<string> Violations(BenchReport report) =>
        from point in report.Points
        let value = point.Answers == 0 && _value != ErrorPercent ? double.PositiveInfinity : _value(point)
        where value > _most
        select string.Create(CultureInfo.InvariantCulture, $"Over {_text}: {value:0.###}{(_value == ErrorPercent ? " %" : " ms")} at {report.Load} {point.Load:0.##}.");

    // A server that stops answering must not pass because what it keeps waiting is in no latency: who has waited for so long waits longer.
    private static double AtLeast(double answered, double? withUnanswered) => Math.Max(answered, withUnanswered ?? 0);

    private static double ErrorPercent(BenchPoint point)
    {
        // A server that answers nothing makes no errors either.
        var errors = point.Errors.Values.Sum();
        if (errors + point.Answers == 0) return point.Unanswered > 0 ? 100 : 0;
        return 100.0 * errors / (errors + point.Answers);
    }
}
