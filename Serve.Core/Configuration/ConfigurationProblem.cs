namespace Serve.Core.Configuration;

/// <summary>Where a setting was written.</summary>
/// <param name="Source">A file's path, <c>environment variable SERVE_…</c>, <c>flag --…</c> or <c>parameter …</c>.</param>
/// <param name="Line">Line in the file, from 1; 0 where there are none.</param>
/// <param name="Column">Column in the line, from 1; 0 where there are none.</param>
public readonly record struct ConfigurationOrigin(string Source, int Line = 0, int Column = 0)
{
    /// <summary><c>file:line:column</c>, or the source alone.</summary>
    public override string ToString() => Line > 0 ? $"{Source}:{Line}:{Column}" : Source;
}

/// <summary>One thing that is wrong with a configuration.</summary>
/// <param name="Origin">Where it stands.</param>
/// <param name="Key">The key, with its sections: <c>preprocessing.resize</c>; empty where no key is concerned.</param>
/// <param name="Message">What is wrong, the value, and what would be right.</param>
public sealed record ConfigurationProblem(ConfigurationOrigin Origin, string Key, string Message)
{
    /// <summary>One line for people: <c>file:line:column: key: message</c>.</summary>
    public override string ToString() => Key.Length == 0 ? $"{Origin}: {Message}" : $"{Origin}: {Key}: {Message}";
}
