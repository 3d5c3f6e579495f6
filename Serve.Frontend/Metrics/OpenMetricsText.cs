using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Serve.Frontend.Metrics;

/// <summary>
/// OpenMetrics 1.0, which Prometheus asks for by itself and which alone has exemplars. Names of series are those of the
/// plain text, whatever a client asks for.
/// </summary>
internal static class OpenMetricsText
{
    /// <summary>The answer's type.</summary>
    public const string ContentType = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    private const string Counted = "_total";

    /// <summary>How a document ends.</summary>
    public static ReadOnlySpan<byte> End => "# EOF\n"u8;

    /// <summary>Whether a client prefers it to plain text: it names it, and does not value it less.</summary>
    public static bool IsWanted(HttpRequest request)
    {
        if (!MediaTypeHeaderValue.TryParseList(request.Headers.Accept, out var accepted)) return false;
        var (open, plain) = (0.0, 0.0);
        foreach (var type in accepted)
        {
            var quality = type.Quality ?? 1;
            if (type.MediaType.Equals("application/openmetrics-text", StringComparison.OrdinalIgnoreCase)) open = Math.Max(open, quality);
            else if (type.MediaType.Equals("text/plain", StringComparison.OrdinalIgnoreCase)) plain = Math.Max(plain, quality);
        }

        return open > 0 && open >= plain;
    }

    /// <summary>
    /// Plain text as OpenMetrics: a counter's family has no <c>_total</c>; one whose series have none is of unknown type, because
    /// its series would otherwise be called differently; no comma stands behind the last label.
    /// </summary>
    public static byte[] From(ReadOnlySpan<byte> plain)
    {
        var text = new StringBuilder(plain.Length);
        var help = "";
        foreach (var line in Encoding.UTF8.GetString(plain).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.StartsWith("# HELP ", StringComparison.Ordinal))
            {
                // Its family's name is known with the type, which follows.
                help = line.Split(' ', 4) is [_, _, _, var words] ? words.Replace("\"", "\\\"", StringComparison.Ordinal) : "";
            }
            else if (line.Split(' ') is ["#", "TYPE", var name, var type])
            {
                var family = type == "counter" && name.EndsWith(Counted, StringComparison.Ordinal) ? name[..^Counted.Length] : name;
                text.Append("# HELP ").Append(family).Append(' ').Append(help).Append('\n');
                text.Append("# TYPE ").Append(family).Append(' ').Append(type == "counter" && family == name ? "unknown" : type).Append('\n');
            }
            else
            {
                text.Append(line.Replace("\",} ", "\"} ", StringComparison.Ordinal)).Append('\n');
            }
        }

        return Encoding.UTF8.GetBytes(text.ToString());
    }
}
