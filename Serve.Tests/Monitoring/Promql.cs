using System.Text.RegularExpressions;

namespace Serve.Tests.Monitoring;

/// <summary>What can be said of an expression of Prometheus without evaluating it.</summary>
internal static partial class Promql
{
    private static readonly HashSet<string> Words = ["and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "bool", "offset", "atan2", "Inf", "NaN"];

    /// <summary>Names of the series that it asks for.</summary>
    public static IReadOnlySet<string> Series(string expression)
    {
        var bare = Strings().Replace(Comments().Replace(expression, ""), "");
        bare = Grouping().Replace(Braces().Replace(Ranges().Replace(bare, ""), ""), "");
        return Identifier().Matches(bare).Select(match => match.Value).Where(name => !Words.Contains(name)).ToHashSet(StringComparer.Ordinal);
    }

    [GeneratedRegex("#.*")]
    private static partial Regex Comments();

    [GeneratedRegex("\"(?:[^\"\\\\]|\\\\.)*\"")]
    private static partial Regex Strings();

    [GeneratedRegex(@"\[[^]]*\]")]
    private static partial Regex Ranges();

    [GeneratedRegex(@"\{[^}]*\}")]
    private static partial Regex Braces();

    [GeneratedRegex(@"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")]
    private static partial Regex Grouping();

    // Not a function's name, not a number's or duration's unit.
    [GeneratedRegex(@"(?<![\w:.])[a-zA-Z_:][\w:]*(?![\w:]|\s*\()")]
    private static partial Regex Identifier();
}
