namespace Serve.Core.Models;

/// <summary>
/// Orders version names as people do: runs of digits by their value, the rest by its characters, so 2.0 comes before 10.0
/// and 1.0 before 1.0.1. At start the highest version of a name becomes its default.
/// </summary>
public sealed class VersionOrder : IComparer<string>
{
    /// <summary>The only instance.</summary>
    public static VersionOrder Instance { get; } = new();

    private VersionOrder()
    {
    }

    /// <summary>Negative if <paramref name="x"/> comes first, positive if <paramref name="y"/> does; 0 only for equal names.</summary>
    /// <param name="x">A version name.</param>
    /// <param name="y">Another.</param>
    public int Compare(string? x, string? y)
    {
        if (x is null || y is null) return (x is null ? 0 : 1) - (y is null ? 0 : 1);

        int i = 0, j = 0;
        while (i < x.Length && j < y.Length)
        {
            var order = char.IsAsciiDigit(x[i]) && char.IsAsciiDigit(y[j]) ? CompareNumbers(x, ref i, y, ref j) : x[i++].CompareTo(y[j++]);
            if (order != 0) return order;
        }

        var rest = (x.Length - i).CompareTo(y.Length - j);
        return rest != 0 ? rest : string.CompareOrdinal(x, y);
    }

    /// <summary>Compares the runs of digits at both places, of any length, and moves behind them.</summary>
    private static int CompareNumbers(string x, ref int i, string y, ref int j)
    {
        var a = Digits(x, ref i);
        var b = Digits(y, ref j);
        return a.Length != b.Length ? a.Length.CompareTo(b.Length) : a.SequenceCompareTo(b);
    }

    private static ReadOnlySpan<char> Digits(string text, ref int position)
    {
        var start = position;
        while (position < text.Length && char.IsAsciiDigit(text[position])) position++;
        return text.AsSpan(start, position - start).TrimStart('0');
    }
}
