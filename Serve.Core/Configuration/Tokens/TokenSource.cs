namespace Serve.Core.Configuration.Tokens;

/// <summary>What an item of <c>inferenceTokens</c> or <c>managementTokens</c> is.</summary>
public enum TokenSourceKind
{
    /// <summary>A file with tokens or hashes, one a line, that is read again when it changes.</summary>
    File,

    /// <summary>An environment variable with tokens or hashes, one a line.</summary>
    Variable,

    /// <summary>The hash of one token.</summary>
    Hash,
}

/// <summary>Where tokens come from.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Value">The file's path, the variable's name, or the hash with its <c>sha256:</c>.</param>
public sealed record TokenSource(TokenSourceKind Kind, string Value)
{
    private const string FilePrefix = "file:";
    private const string VariablePrefix = "env:";

    /// <summary>Reads <c>file:PATH</c>, <c>env:NAME</c> or <c>sha256:HASH</c>.</summary>
    /// <param name="text">As written.</param>
    /// <param name="fault">What is wrong, if the result is null. The text is not in it: it may be a token, in the wrong place.</param>
    public static TokenSource? Parse(string text, out string fault)
    {
        ArgumentNullException.ThrowIfNull(text);
        fault = "";
        if (text.StartsWith(FilePrefix, StringComparison.Ordinal) && text.Length > FilePrefix.Length) return new(TokenSourceKind.File, text[FilePrefix.Length..]);
        if (text.StartsWith(VariablePrefix, StringComparison.Ordinal) && text.Length > VariablePrefix.Length) return new(TokenSourceKind.Variable, text[VariablePrefix.Length..]);
        if (text.StartsWith("sha256:", StringComparison.Ordinal)) return AccessToken.Parse(text, out fault) is null ? null : new(TokenSourceKind.Hash, text);

        fault = "it is neither file:PATH, env:NAME nor sha256:HASH; tokens themselves do not belong into a configuration, where many can read them";
        return null;
    }

    /// <summary>As <see cref="Parse"/> reads it.</summary>
    public override string ToString() => Kind switch
    {
        TokenSourceKind.File => FilePrefix + Value,
        TokenSourceKind.Variable => VariablePrefix + Value,
        _ => Value,
    };
}
