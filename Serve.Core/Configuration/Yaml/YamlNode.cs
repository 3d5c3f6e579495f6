namespace Serve.Core.Configuration.Yaml;

/// <summary>A YAML value that knows where it stands.</summary>
internal abstract class YamlNode(ConfigurationOrigin origin)
{
    public ConfigurationOrigin Origin { get; } = origin;

    /// <summary>What this is, for messages: <c>a mapping</c>, <c>a list</c>, or the scalar itself.</summary>
    public abstract string Describe();
}

/// <summary>A scalar as it was written.</summary>
internal sealed class YamlScalar(ConfigurationOrigin origin, string text, bool isPlain) : YamlNode(origin)
{
    public string Text { get; } = text;

    /// <summary>Without quotes: only then can it be a number, a boolean or null.</summary>
    public bool IsPlain { get; } = isPlain;

    public bool IsNull => IsPlain && Text is "" or "~" or "null" or "Null" or "NULL";

    public override string Describe()
    {
        if (IsNull) return "null";

        var shown = string.Concat((Text.Length > 60 ? Text[..60] + "…" : Text).Select(c => char.IsControl(c) ? $"\\u{(int)c:x4}" : c.ToString()));
        return IsPlain ? shown : $"\"{shown}\"";
    }
}

/// <summary>A sequence.</summary>
internal sealed class YamlList(ConfigurationOrigin origin, IReadOnlyList<YamlNode> items) : YamlNode(origin)
{
    public IReadOnlyList<YamlNode> Items { get; } = items;

    public override string Describe() => "a list";
}

/// <summary>A mapping with distinct keys.</summary>
internal sealed class YamlMap(ConfigurationOrigin origin, IReadOnlyList<YamlEntry> entries) : YamlNode(origin)
{
    public IReadOnlyList<YamlEntry> Entries { get; } = entries;

    public override string Describe() => "a mapping";
}

/// <summary>A key and its value.</summary>
/// <param name="Key">The key's text.</param>
/// <param name="Origin">Where the key stands.</param>
/// <param name="Value">The value.</param>
internal sealed record YamlEntry(string Key, ConfigurationOrigin Origin, YamlNode Value);
