using System.Globalization;

namespace Serve.LoadGenerator.Sweeps;

/// <summary>
/// Values to go through, as people write them: <c>16</c>, <c>1,4,16</c>, <c>1:8</c> (steps of 1), <c>50:400:50</c> (steps of
/// 50), <c>1:64:x2</c> (each twice the one before).
/// </summary>
public static class SweepExpression
{
    /// <summary>The most values of a sweep.</summary>
    public const int MostValues = 1000;

    /// <summary>Reads an expression.</summary>
    /// <returns>Its values in the order in which they are written.</returns>
    /// <exception cref="FormatException">It is none; the message says what would be right.</exception>
    public static IReadOnlyList<double> Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var values = new List<double>();
        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries)) values.AddRange(Range(part, text).Take(MostValues + 1));
        return values.Count <= MostValues ? values : throw new FormatException($"'{text}' has more than {MostValues} values.");
    }

    /// <summary>Reads an expression of whole numbers above 0.</summary>
    /// <exception cref="FormatException">It is none; the message says what would be right.</exception>
    public static IReadOnlyList<int> ParseCounts(string text)
    {
        var values = Parse(text);
        foreach (var value in values)
        {
            if (value is < 1 or > 1_000_000 || Math.Round(value) != value) throw new FormatException($"'{text}' has the value {value.ToString(CultureInfo.InvariantCulture)}; give whole numbers from 1 to 1,000,000, for example 1:64:x2.");
        }

        return [.. values.Select(value => (int)value)];
    }

    private static IEnumerable<double> Range(string part, string text)
    {
        var pieces = part.Split(':');
        var from = Number(pieces[0], text);
        if (pieces.Length == 1) return [from];
        if (pieces.Length > 3) throw Wrong(text);
        var to = Number(pieces[1], text);
        var step = pieces.Length == 3 ? pieces[2] : "1";
        var isFactor = step.StartsWith('x');
        var by = Number(isFactor ? step[1..] : step, text);
        if (to < from || (isFactor ? by <= 1 : by <= 0)) throw Wrong(text);
        return isFactor ? Factors(from, to, by) : Steps(from, to, by);
    }

    // Multiplied, not added up: steps of 0.1 shall not miss their end.
    private static IEnumerable<double> Steps(double from, double to, double by)
    {
        for (var i = 0; from + (i * by) <= to * (1 + 1e-12); i++) yield return from + (i * by);
    }

    private static IEnumerable<double> Factors(double from, double to, double by)
    {
        for (var value = from; value <= to * (1 + 1e-12); value *= by) yield return value;
    }

    private static double Number(string piece, string text) =>
        double.TryParse(piece, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) && number > 0 && double.IsFinite(number) ? number : throw Wrong(text);

    private static FormatException Wrong(string text) =>
        new($"'{text}' is no list of numbers above 0; give for example 16, or 1,4,16, or 50:400:50 for steps of 50, or 1:64:x2 for doubling.");
}
