using System.Globalization;
using System.Text;

namespace Serve.Core.Configuration.TorchServe;

/// <summary>A key and its value in a Java properties file.</summary>
/// <param name="Line">Where it begins, from 1.</param>
/// <param name="Key">The key.</param>
/// <param name="Value">The value, its escapes resolved.</param>
internal sealed record PropertiesEntry(int Line, string Key, string Value);

/// <summary>
/// Reads Java's properties format, in which TorchServe's <c>config.properties</c> is written: comments by # and !, keys ended
/// by =, : or a blank, lines continued by a backslash, escapes. Every text can be read.
/// </summary>
internal static class PropertiesFile
{
    /// <summary>The entries in their order; a key that stands twice is there twice.</summary>
    public static IReadOnlyList<PropertiesEntry> Read(string text)
    {
        var entries = new List<PropertiesEntry>();
        var lines = text.ReplaceLineEndings("\n").Split('\n');
        for (var i = 0; i < lines.Length; i++)
        {
            var first = i + 1;
            var line = lines[i].TrimStart(' ', '\t', '\f');
            if (line.Length == 0 || line[0] is '#' or '!') continue;

            var logical = new StringBuilder();
            while (IsContinued(line))
            {
                logical.Append(line, 0, line.Length - 1);
                line = ++i < lines.Length ? lines[i].TrimStart(' ', '\t', '\f') : "";
            }

            logical.Append(line);
            entries.Add(Split(first, logical.ToString()));
        }

        return entries;
    }

    private static bool IsContinued(string line) => line.Length - line.TrimEnd('\\').Length is var slashes && slashes % 2 == 1;

    private static PropertiesEntry Split(int number, string line)
    {
        var end = 0;
        while (end < line.Length && line[end] is not ('=' or ':' or ' ' or '\t' or '\f')) end += line[end] == '\\' ? 2 : 1;
        end = Math.Min(end, line.Length);

        var value = line[end..].TrimStart(' ', '\t', '\f');
        if (value.Length > 0 && value[0] is '=' or ':') value = value[1..].TrimStart(' ', '\t', '\f');
        return new PropertiesEntry(number, Unescape(line[..end]), Unescape(value));
    }

    private static string Unescape(string text)
    {
        if (!text.Contains('\\', StringComparison.Ordinal)) return text;

        var plain = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\' || i + 1 == text.Length)
            {
                if (text[i] != '\\') plain.Append(text[i]);
                continue;
            }

            var escaped = text[++i];
            if (escaped == 'u' && i + 4 < text.Length && ushort.TryParse(text.AsSpan(i + 1, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code))
            {
                plain.Append((char)code);
                i += 4;
            }
            else
            {
                plain.Append(escaped switch { 't' => '\t', 'n' => '\n', 'r' => '\r', 'f' => '\f', _ => escaped });
            }
        }

        return plain.ToString();
    }
}
