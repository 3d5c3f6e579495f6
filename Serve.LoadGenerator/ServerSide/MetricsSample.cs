using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Serve.LoadGenerator.ServerSide;

/// <summary>A scrape of Prometheus text: its series, and when it was.</summary>
public sealed class MetricsSample
{
    private const int MostSeries = 200_000;

    private readonly Dictionary<string, List<Series>> _byName = new(StringComparer.Ordinal);

    private MetricsSample()
    {
    }

    /// <summary>When it was made, as a timestamp.</summary>
    public long Timestamp { get; } = Stopwatch.GetTimestamp();

    /// <summary>Reads a scrape. Lines that are no series of numbers are passed over: the text may be any server's.</summary>
    public static MetricsSample Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var sample = new MetricsSample();
        var count = 0;
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            if (line.IsEmpty || line[0] == '#') continue;
            if (++count > MostSeries) break;
            if (Read(line) is not { } series) continue;
            if (!sample._byName.TryGetValue(series.Name, out var list)) sample._byName[series.Name] = list = [];
            list.Add(series);
        }

        return sample;
    }

    /// <summary>All series of a name.</summary>
    public IReadOnlyList<Series> Of(string name) => _byName.TryGetValue(name, out var list) ? list : [];

    /// <summary>The sum of a name's series that have these labels.</summary>
    public double Sum(string name, Func<Series, bool> which) => Of(name).Where(which).Sum(series => series.Value);

    // name{label="value",other="va\"lue"} 1.5
    private static Series? Read(ReadOnlySpan<char> line)
    {
        var end = line.IndexOfAny('{', ' ');
        if (end <= 0) return null;
        var name = line[..end].ToString();
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        var rest = line[end..];
        if (rest[0] == '{')
        {
            rest = rest[1..];
            while (!rest.IsEmpty && rest[0] != '}')
            {
                var equals = rest.IndexOf('=');
                if (equals < 0 || equals + 1 >= rest.Length || rest[equals + 1] != '"') return null;
                var label = rest[..equals].ToString();
                rest = rest[(equals + 2)..];
                if (TakeQuoted(ref rest) is not { } value) return null;
                labels[label] = value;
                if (!rest.IsEmpty && rest[0] == ',') rest = rest[1..];
            }

            if (rest.IsEmpty) return null;
            rest = rest[1..];
        }

        rest = rest.Trim();
        var space = rest.IndexOf(' ');
        return double.TryParse(space < 0 ? rest : rest[..space], NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? new Series(name, labels, number) : null;
    }

    private static string? TakeQuoted(ref ReadOnlySpan<char> rest)
    {
        var text = new StringBuilder();
        for (var i = 0; i < rest.Length; i++)
        {
            if (rest[i] == '"')
            {
                rest = rest[(i + 1)..];
                return text.ToString();
            }

            if (rest[i] == '\\' && i + 1 < rest.Length) text.Append(rest[++i] == 'n' ? '\n' : rest[i]);
            else text.Append(rest[i]);
        }

        return null;
    }

    /// <summary>One series.</summary>
    /// <param name="Name">Its metric, with <c>_sum</c>, <c>_count</c> or <c>_bucket</c> for a histogram.</param>
    /// <param name="Labels">Its labels.</param>
    /// <param name="Value">Its value.</param>
    public sealed record Series(string Name, IReadOnlyDictionary<string, string> Labels, double Value)
    {
        /// <summary>A label's value; empty where there is none.</summary>
        public string Label(string name) => Labels.TryGetValue(name, out var value) ? value : "";
    }
}
