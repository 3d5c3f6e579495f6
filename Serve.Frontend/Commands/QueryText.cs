using System.Text;

namespace Serve.Frontend.Commands;

/// <summary>A path with a query, escaped.</summary>
internal sealed class QueryText(string path)
{
    private readonly StringBuilder _text = new(path);
    private char _separator = '?';

    /// <summary>The path of one model, or of one version of it.</summary>
    public static QueryText OfModel(string model, string? version, string suffix = "") => new(
        $"/models/{Uri.EscapeDataString(model)}{(version is null ? "" : "/" + Uri.EscapeDataString(version))}{suffix}");

    /// <summary>Adds a parameter, if it has a value.</summary>
    public QueryText Add(string name, string? value)
    {
        if (value is null) return this;
        _text.Append(_separator).Append(name).Append('=').Append(Uri.EscapeDataString(value));
        _separator = '&';
        return this;
    }

    /// <inheritdoc/>
    public override string ToString() => _text.ToString();
}
