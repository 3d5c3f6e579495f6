using System.Text;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Serve.Core.Configuration.Yaml;

/// <summary>
/// Reads a YAML file into nodes with positions. The text may come from anybody (archives carry it): its size, depth and
/// number of aliases are limited, an alias shares its node instead of copying it, and tags do nothing but fail.
/// </summary>
internal sealed class YamlTree
{
    public const int MaxBytes = 1 << 20;
    private const int MaxDepth = 16;
    private const int MaxAliases = 64;
    private const int MaxNodes = 100_000;

    private readonly IParser _parser;
    private readonly string _source;
    private readonly ProblemList _problems;
    private readonly Dictionary<string, YamlNode> _anchors = [];
    private int _aliases;
    private int _nodes;

    private YamlTree(IParser parser, string source, ProblemList problems)
    {
        _parser = parser;
        _source = source;
        _problems = problems;
    }

    /// <summary>Reads a file; what is wrong goes to the problems, and the result is null then.</summary>
    public static YamlMap? ReadFile(string path, ProblemList problems)
    {
        byte[] bytes;
        try
        {
            using var file = File.OpenRead(path);
            if (file.Length > MaxBytes) return TooLarge(path, file.Length, problems);

            // One byte more than allowed: a special file, or one that grows, has no honest length.
            bytes = new byte[MaxBytes + 1];
            var length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (length > MaxBytes) return TooLarge(path, length, problems);

            bytes = bytes[..length];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            problems.Add(new(path), "", $"cannot be read: {error.Message}");
            return null;
        }

        try
        {
            return ReadText(new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes), path, problems);
        }
        catch (DecoderFallbackException error)
        {
            problems.Add(new(path), "", $"is not UTF-8 text: the byte at offset {error.Index} is wrong");
            return null;
        }
    }

    /// <summary>Reads text; what is wrong goes to the problems, and the result is null then. No document at all is an empty mapping.</summary>
    public static YamlMap? ReadText(string text, string source, ProblemList problems)
    {
        if (text.Length > MaxBytes) return TooLarge(source, text.Length, problems);

        try
        {
            return new YamlTree(new GuardedParser(new StringReader(text.TrimStart('\uFEFF'))), source, problems).ReadDocument();
        }
        catch (SyntaxProblem problem)
        {
            problems.Add(problem.Origin, "", problem.Message);
        }
        catch (YamlException error)
        {
            problems.Add(new(source, Line(error.Start), Column(error.Start)), "", $"is not YAML: {Reason(error)}");
        }

        return null;
    }

    private static YamlMap? TooLarge(string source, long length, ProblemList problems)
    {
        problems.Add(new(source), "", $"has {length} bytes; a configuration has at most {MaxBytes}");
        return null;
    }

    private YamlMap ReadDocument()
    {
        _parser.Consume<StreamStart>();
        if (_parser.Accept<StreamEnd>(out _)) return new YamlMap(new(_source, 1, 1), []);

        _parser.Consume<DocumentStart>();
        var root = ReadNode(0);
        _parser.Consume<DocumentEnd>();
        if (!_parser.Accept<StreamEnd>(out var rest)) throw new SyntaxProblem(Origin(rest ?? _parser.Current!), "a second document begins here; only one is allowed");

        return root switch
        {
            YamlMap map => map,
            YamlScalar { IsNull: true } => new YamlMap(root.Origin, []),
            _ => throw new SyntaxProblem(root.Origin, $"must be a mapping (lines of `key: value`), not {root.Describe()}"),
        };
    }

    private YamlNode ReadNode(int depth)
    {
        var parsingEvent = _parser.Consume<ParsingEvent>();

        var origin = Origin(parsingEvent);
        if (depth > MaxDepth) throw new SyntaxProblem(origin, $"nested deeper than {MaxDepth} levels");
        if (++_nodes > MaxNodes) throw new SyntaxProblem(origin, $"has more than {MaxNodes} values");

        if (parsingEvent is AnchorAlias alias)
        {
            if (++_aliases > MaxAliases) throw new SyntaxProblem(origin, $"uses more than {MaxAliases} aliases");
            return _anchors.TryGetValue(alias.Value.Value, out var known) ? known : throw new SyntaxProblem(origin, $"no anchor &{alias.Value.Value} stands before the alias *{alias.Value.Value}");
        }

        if (parsingEvent is NodeEvent { Tag.IsEmpty: false } tagged) throw new SyntaxProblem(origin, $"the tag {tagged.Tag.Value} is not allowed; write the plain value");

        YamlNode node = parsingEvent switch
        {
            Scalar scalar => new YamlScalar(origin, scalar.Value, scalar.Style is ScalarStyle.Plain),
            SequenceStart => ReadList(origin, depth),
            MappingStart => ReadMap(origin, depth),
            _ => throw new SyntaxProblem(origin, "a value is missing here"),
        };

        // Registered when complete: an alias inside its own anchor would make a circle.
        if (parsingEvent is NodeEvent { Anchor.IsEmpty: false } anchored) _anchors[anchored.Anchor.Value] = node;
        return node;
    }

    private YamlList ReadList(ConfigurationOrigin origin, int depth)
    {
        var items = new List<YamlNode>();
        while (!_parser.TryConsume<SequenceEnd>(out _)) items.Add(ReadNode(depth + 1));
        return new YamlList(origin, items);
    }

    private YamlMap ReadMap(ConfigurationOrigin origin, int depth)
    {
        var entries = new List<YamlEntry>();
        var seen = new Dictionary<string, int>();
        while (!_parser.TryConsume<MappingEnd>(out _))
        {
            var key = ReadNode(depth + 1);
            if (key is not YamlScalar name) throw new SyntaxProblem(key.Origin, $"a key must be a word, not {key.Describe()}");

            var value = ReadNode(depth + 1);
            if (name.Text == "<<")
            {
                _problems.Add(name.Origin, "<<", "merge keys are not supported; write the keys out");
            }
            else if (!seen.TryAdd(name.Text, name.Origin.Line))
            {
                _problems.Add(name.Origin, name.Describe(), $"stands twice, first in line {seen[name.Text]}; remove one of them");
            }
            else
            {
                entries.Add(new YamlEntry(name.Text, name.Origin, value));
            }
        }

        return new YamlMap(origin, entries);
    }

    private ConfigurationOrigin Origin(ParsingEvent parsingEvent) => new(_source, Line(parsingEvent.Start), Column(parsingEvent.Start));

    private static int Line(Mark mark) => (int)Math.Clamp(mark.Line, 1, int.MaxValue);

    private static int Column(Mark mark) => (int)Math.Clamp(mark.Column, 1, int.MaxValue);

    /// <summary>The innermost message, without the position that the outer ones repeat.</summary>
    private static string Reason(Exception error)
    {
        while (error.InnerException is { } inner) error = inner;
        return error.Message;
    }

    private sealed class SyntaxProblem(ConfigurationOrigin origin, string message) : Exception(message)
    {
        public ConfigurationOrigin Origin { get; } = origin;
    }
}
