namespace Serve.Core.Models;

/// <summary>What models and versions may be called: names become path segments of URLs and labels of metrics.</summary>
public static class ModelNames
{
    private const int MaxLength = 128;

    /// <summary>The version of what names none.</summary>
    public const string DefaultVersion = "1.0";

    /// <summary>What is wrong with a model's or version's name, null if nothing is.</summary>
    /// <param name="name">The name.</param>
    public static string? Fault(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (name.Length == 0) return "is empty";
        if (name.Length > MaxLength) return $"is longer than {MaxLength} characters";
        if (name[0] == '.') return "begins with a dot";
        if (!name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_')) return "has characters other than letters, digits, dot, dash and underscore";

        return name.Contains("..", StringComparison.Ordinal) ? "contains two dots in a row" : null;
    }
}
