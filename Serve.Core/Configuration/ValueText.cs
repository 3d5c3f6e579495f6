using System.Globalization;

namespace Serve.Core.Configuration;

/// <summary>Numbers with units, as people write them.</summary>
internal static class ValueText
{
    /// <summary>The units of a duration, the longest suffix first.</summary>
    private static readonly (string Suffix, TimeSpan Unit)[] DurationUnits =
    [
        ("ms", TimeSpan.FromMilliseconds(1)), ("us", TimeSpan.FromMicroseconds(1)), ("s", TimeSpan.FromSeconds(1)),
        ("m", TimeSpan.FromMinutes(1)), ("h", TimeSpan.FromHours(1)),
    ];

    private static readonly (string Suffix, long Unit)[] SizeUnits =
    [
        ("KiB", 1L << 10), ("MiB", 1L << 20), ("GiB", 1L << 30), ("TiB", 1L << 40), ("kB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000), ("B", 1),
    ];

    /// <summary>A whole number in the key's own unit, or any number with a unit: <c>50ms</c>, <c>1.5s</c>, <c>2m</c>.</summary>
    public static TimeSpan? Duration(string text, TimeSpan unit)
    {
        if (Integer(text) is { } count) return Scale(count, unit.Ticks) is { } ticks ? new TimeSpan(ticks) : null;

        foreach (var (suffix, suffixUnit) in DurationUnits)
        {
            if (!text.EndsWith(suffix, StringComparison.Ordinal)) continue;
            return Decimal(text[..^suffix.Length].TrimEnd()) is { } number && Scale(number, suffixUnit.Ticks) is { } scaled ? new TimeSpan(scaled) : null;
        }

        return null;
    }

    /// <summary>Bytes: a whole number, or a number with a unit: <c>64MiB</c>, <c>1.5GB</c>.</summary>
    public static long? Size(string text)
    {
        if (Integer(text) is { } count) return count;

        foreach (var (suffix, unit) in SizeUnits)
        {
            if (!text.EndsWith(suffix, StringComparison.Ordinal)) continue;
            return Decimal(text[..^suffix.Length].TrimEnd()) is { } number ? Scale(number, unit) : null;
        }

        return null;
    }

    /// <summary>A whole number in decimal digits.</summary>
    public static long? Integer(string text) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) ? value : null;

    /// <summary>A finite number, or a fraction of two: <c>1/255</c>.</summary>
    public static double? Number(string text)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0) return Finite(text);
        if (Finite(text[..slash].Trim()) is not { } over || Finite(text[(slash + 1)..].Trim()) is not { } under) return null;

        var quotient = over / under;
        return double.IsFinite(quotient) ? quotient : null;
    }

    /// <summary>A duration as it would be written in the file.</summary>
    public static string Show(TimeSpan duration) => duration switch
    {
        { Ticks: var ticks } when ticks % TimeSpan.TicksPerHour == 0 && ticks > 0 => $"{ticks / TimeSpan.TicksPerHour}h",
        { Ticks: var ticks } when ticks % TimeSpan.TicksPerSecond == 0 => $"{ticks / TimeSpan.TicksPerSecond}s",
        _ => string.Create(CultureInfo.InvariantCulture, $"{duration.TotalMilliseconds}ms"),
    };

    private static double? Finite(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && double.IsFinite(value) ? value : null;

    private static decimal? Decimal(string text) =>
        decimal.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value) ? value : null;

    private static long? Scale(decimal number, long unit)
    {
        if (Math.Abs(number) > long.MaxValue / unit) return null;
        return (long)(number * unit);
    }
}
