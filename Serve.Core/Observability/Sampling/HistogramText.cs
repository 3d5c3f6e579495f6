using System.Globalization;
using System.Text;

namespace Serve.Core.Observability.Sampling;

/// <summary>
/// Reads the buckets of one of the server's own histograms out of the text of a scrape: prometheus-net has no other way to
/// them. Names of models and versions have no letters that need escapes.
/// </summary>
internal static class HistogramText
{
    /// <summary>The buckets by model and version.</summary>
    /// <param name="scrape">Prometheus text, its buckets in ascending order.</param>
    /// <param name="family">The histogram's name.</param>
    public static Dictionary<(string Model, string Version), HistogramCounts> Read(ReadOnlySpan<byte> scrape, string family)
    {
        var prefix = Encoding.ASCII.GetBytes(family + "_bucket{");
        var found = new Dictionary<(string, string), (List<double> Bounds, List<long> Counts, long Below)>();
        while (!scrape.IsEmpty)
        {
            var end = scrape.IndexOf((byte)'\n');
            var line = end < 0 ? scrape : scrape[..end];
            scrape = scrape[(end < 0 ? line.Length : end + 1)..];
            if (!line.StartsWith(prefix)) continue;

            var labels = line[prefix.Length..];
            var value = labels[(labels.IndexOf((byte)'}') + 1)..].Trim((byte)' ');
            if (value.IndexOf((byte)' ') is > 0 and var space) value = value[..space];
            var version = (Label(labels, "model=\""u8), Label(labels, "version=\""u8));
            var bound = Label(labels, "le=\""u8) is "+Inf" or "" ? double.PositiveInfinity : double.Parse(Label(labels, "le=\""u8), CultureInfo.InvariantCulture);
            var (bounds, counts, below) = found.TryGetValue(version, out var known) ? known : ([], [], 0L);
            var cumulative = (long)double.Parse(value, CultureInfo.InvariantCulture);
            bounds.Add(bound);
            counts.Add(Math.Max(0, cumulative - below)); // it is counted while it is written
            found[version] = (bounds, counts, Math.Max(below, cumulative));
        }

        return found.ToDictionary(static version => version.Key, static version => new HistogramCounts(version.Value.Bounds, version.Value.Counts));
    }

    private static string Label(ReadOnlySpan<byte> labels, ReadOnlySpan<byte> name)
    {
        var at = labels.IndexOf(name);
        if (at < 0) return "";
        var value = labels[(at + name.Length)..];
        return Encoding.ASCII.GetString(value[..Math.Max(0, value.IndexOf((byte)'"'))]);
    }
}
