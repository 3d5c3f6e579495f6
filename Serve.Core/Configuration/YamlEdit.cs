using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Serve.Core.Configuration;

/// <summary>
/// Sets scalar keys in a YAML text and leaves everything else as it is: comments, order, spaces, line ends. Keys of one
/// section are named with a dot, <c>execution.intraOpThreads</c>.
/// </summary>
internal static class YamlEdit
{
    /// <summary>Sets keys, one after the other.</summary>
    /// <param name="text">The file's text; it has been read without problems before.</param>
    /// <param name="values">Plain scalars by key.</param>
    /// <exception cref="NotSupportedException">A key has a value that is not a plain one-line scalar, or the text is no mapping.</exception>
    public static string Set(string text, IEnumerable<KeyValuePair<string, string>> values)
    {
        foreach (var (key, value) in values) text = Set(text, key, value);
        return text;
    }

    private static string Set(string text, string key, string value)
    {
        var lineEnd = text.Contains("\r\n", StringComparison.Ordinal) ? "\r\n" : "\n";
        var root = ReadRoot(text);
        var dot = key.IndexOf('.', StringComparison.Ordinal);
        if (dot < 0) return root is null ? Append(text, $"{key}: {value}", lineEnd) : SetIn(text, root, key, value, lineEnd, isRoot: true);

        var (section, inner) = (key[..dot], key[(dot + 1)..]);
        if (root?.Entries.Find(entry => entry.Key == section) is not { } found)
        {
            var lines = $"{section}:{lineEnd}  {inner}: {value}";
            return root is null ? Append(text, lines, lineEnd) : SetIn(text, root, section, $"{lineEnd}  {inner}: {value}", lineEnd, isRoot: true);
        }

        if (found.Map is { } map) return SetIn(text, map, inner, value, lineEnd, isRoot: false);
        if (found.Text is not ("" or "~" or "null")) throw new NotSupportedException($"{section} is no mapping.");

        // A section that is there and empty: its lines follow the key, before a comment on the same line there must be nothing else.
        return found.Text.Length == 0
            ? Insert(text, LineEndAfter(text, found.KeyEnd), $"{lineEnd}  {inner}: {value}")
            : string.Concat(text.AsSpan(0, found.ValueStart), $"{lineEnd}  {inner}: {value}", text.AsSpan(found.ValueEnd));
    }

    private static string SetIn(string text, Mapping map, string key, string value, string lineEnd, bool isRoot)
    {
        if (map.Entries.Find(entry => entry.Key == key) is { } entry)
        {
            if (entry.Text is null) throw new NotSupportedException($"{key} has a value that is not a simple one; write it by hand.");

            // An empty value has no place of its own: it stands right after the colon.
            return entry.ValueStart == entry.ValueEnd
                ? Insert(text, text.IndexOf(':', entry.KeyEnd) + 1, " " + value)
                : string.Concat(text.AsSpan(0, entry.ValueStart), value, text.AsSpan(entry.ValueEnd));
        }

        if (map.IsFlow)
        {
            // The parser's mark is before the bracket or behind it.
            var close = text.IndexOf('}', Math.Max(0, map.End - 1));
            var at = map.Entries.Count == 0 ? text.LastIndexOf('{', close) + 1 : EndOfContent(text, Math.Max(map.Entries[^1].KeyEnd, map.Entries[^1].LastContent), close);
            return Insert(text, at, map.Entries.Count == 0 ? $"{key}: {value}" : text[at - 1] == ',' ? $" {key}: {value}" : $", {key}: {value}");
        }

        // After the last entry's line, so that comments below it keep belonging to what follows them.
        var last = map.Entries[^1];
        var indent = isRoot ? "" : new string(' ', map.Entries[0].Column);
        var separator = value.StartsWith(lineEnd, StringComparison.Ordinal) ? ":" : ": ";
        return Insert(text, LineEndAfter(text, Math.Max(last.KeyEnd, last.LastContent)), $"{lineEnd}{indent}{key}{separator}{value}");
    }

    // Brackets of the last value, and a comma, belong to it; comments do not, and nothing may be put into one.
    private static int EndOfContent(string text, int from, int close)
    {
        var end = from;
        for (var i = from; i < close; i++)
        {
            if (text[i] == '#' && char.IsWhiteSpace(text[i - 1])) i = Math.Min(close, LineEndAfter(text, i)) - 1;
            else if (!char.IsWhiteSpace(text[i])) end = i + 1;
        }

        return end;
    }

    private static string Append(string text, string line, string lineEnd) =>
        text.Length == 0 || text.EndsWith('\n') ? $"{text}{line}{lineEnd}" : $"{text}{lineEnd}{line}{lineEnd}";

    private static string Insert(string text, int at, string what) => string.Concat(text.AsSpan(0, at), what, text.AsSpan(at));

    private static int LineEndAfter(string text, int at)
    {
        var end = text.IndexOf('\n', at);
        if (end < 0) return text.Length;
        return end > 0 && text[end - 1] == '\r' ? end - 1 : end;
    }

    private static Mapping? ReadRoot(string text)
    {
        try
        {
            var parser = new Parser(new StringReader(text));
            while (parser.MoveNext())
            {
                if (parser.Current is MappingStart start) return ReadMapping(parser, start);
                if (parser.Current is Scalar { Value.Length: > 0 } or SequenceStart) throw new NotSupportedException("The file is no mapping.");
            }

            return null;
        }
        catch (YamlException e)
        {
            throw new NotSupportedException($"The file is not valid YAML: {e.Message}", e);
        }
    }

    private static Mapping ReadMapping(Parser parser, MappingStart start)
    {
        var entries = new List<Entry>();
        parser.MoveNext();
        while (parser.Current is not MappingEnd)
        {
            if (parser.Current is not Scalar key) throw new NotSupportedException("A key is not a simple one.");
            parser.MoveNext();
            entries.Add(ReadEntry(parser, key));
            parser.MoveNext();
        }

        return new Mapping(entries, start.Style == MappingStyle.Flow, (int)parser.Current.End.Index);
    }

    private static Entry ReadEntry(Parser parser, Scalar key)
    {
        var entry = new Entry(key.Value, (int)key.Start.Column - 1, (int)key.End.Index);
        switch (parser.Current)
        {
            case Scalar { Style: ScalarStyle.Plain or ScalarStyle.SingleQuoted or ScalarStyle.DoubleQuoted } value when value.Start.Line == value.End.Line:
                return entry with { Text = value.Value, ValueStart = (int)value.Start.Index, ValueEnd = (int)value.End.Index, LastContent = (int)value.End.Index };
            case MappingStart start:
                var map = ReadMapping(parser, start);
                var lastInside = map.IsFlow ? map.End : map.Entries.Count > 0 ? Math.Max(map.Entries[^1].KeyEnd, map.Entries[^1].LastContent) : entry.KeyEnd;
                return entry with { Map = map, LastContent = lastInside };
            case SequenceStart:
                return entry with { LastContent = SkipSequence(parser) };
            default:
                // A block scalar, an alias: its end is where its content ends.
                return entry with { LastContent = Math.Max(entry.KeyEnd, (int)parser.Current!.End.Index - 1) };
        }
    }

    // A block sequence's end is where the next token begins; the end of its last item is what counts.
    private static int SkipSequence(Parser parser)
    {
        var depth = 0;
        long last = parser.Current!.Start.Index;
        do
        {
            depth += parser.Current!.NestingIncrease;
            if (parser.Current is Scalar or AnchorAlias) last = Math.Max(last, parser.Current.End.Index);
            if (depth > 0) parser.MoveNext();
        }
        while (depth > 0);
        return (int)last;
    }

    private sealed record Mapping(List<Entry> Entries, bool IsFlow, int End);

    /// <param name="Key">Its text.</param>
    /// <param name="Column">Where its line begins, from 0.</param>
    /// <param name="KeyEnd">The place after the key.</param>
    private sealed record Entry(string Key, int Column, int KeyEnd)
    {
        /// <summary>The value, where it is a one-line scalar.</summary>
        public string? Text { get; init; }

        public int ValueStart { get; init; }

        public int ValueEnd { get; init; }

        /// <summary>The value, where it is a mapping.</summary>
        public Mapping? Map { get; init; }

        /// <summary>Where the last thing inside the value ends.</summary>
        public int LastContent { get; init; }
    }
}
