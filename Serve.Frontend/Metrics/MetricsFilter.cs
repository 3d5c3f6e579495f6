using System.Buffers;
using System.Text;
using Microsoft.Extensions.Primitives;

namespace Serve.Frontend.Metrics;

/// <summary>
/// TorchServe's <c>name[]</c> filter on Prometheus text: keeps the families that are asked for. A histogram's own series
/// (<c>X_bucket</c>, <c>X_sum</c>, <c>X_count</c>) can be asked for by themselves.
/// </summary>
internal static class MetricsFilter
{
    /// <summary>The wanted families of a scrape.</summary>
    /// <param name="scrape">The scrape.</param>
    /// <param name="names">Names as plain text has them.</param>
    /// <param name="isOpen">Whether the scrape is OpenMetrics: it ends with a line that says so, and the families of counters have no <c>_total</c>.</param>
    public static ReadOnlyMemory<byte> Keep(ReadOnlySpan<byte> scrape, StringValues names, bool isOpen = false)
    {
        var wanted = names.Where(name => name is not null).Select(name => name!).ToHashSet(StringComparer.Ordinal);
        var kept = new ArrayBufferWriter<byte>(4096);
        while (!scrape.IsEmpty)
        {
            var end = scrape.IndexOf((byte)'\n');
            var line = end < 0 ? scrape : scrape[..(end + 1)];
            scrape = scrape[line.Length..];
            if (IsWanted(line, wanted) || (isOpen && IsWantedOfOpen(line, wanted))) kept.Write(line);
        }

        return kept.WrittenMemory;
    }

    private static bool IsWanted(ReadOnlySpan<byte> line, HashSet<string> wanted)
    {
        if (line.StartsWith("# HELP "u8) || line.StartsWith("# TYPE "u8)) line = line[7..];
        var end = line.IndexOfAny(" {\n"u8);
        var name = Encoding.ASCII.GetString(end < 0 ? line : line[..end]);
        return wanted.Contains(name) || (FamilyOf(name) is { } family && wanted.Contains(family));
    }

    private static bool IsWantedOfOpen(ReadOnlySpan<byte> line, HashSet<string> wanted)
    {
        if (line.SequenceEqual(OpenMetricsText.End)) return true;
        if (!line.StartsWith("# HELP "u8) && !line.StartsWith("# TYPE "u8)) return false;
        line = line[7..];
        return line.IndexOf((byte)' ') is > 0 and var end && wanted.Contains(Encoding.ASCII.GetString(line[..end]) + "_total");
    }

    private static string? FamilyOf(string series)
    {
        foreach (var suffix in (string[])["_bucket", "_sum", "_count"])
        {
            if (series.EndsWith(suffix, StringComparison.Ordinal)) return series[..^suffix.Length];
        }

        return null;
    }
}
