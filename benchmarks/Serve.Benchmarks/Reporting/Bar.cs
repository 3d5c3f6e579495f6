using System.Globalization;

namespace Serve.Benchmarks.Reporting;

/// <summary>What a figure must reach.</summary>
/// <param name="Kind">On which side of the limit it must be.</param>
/// <param name="Limit">The limit, in the figure's unit.</param>
internal readonly record struct Bar(BarKind Kind, double Limit)
{
    /// <summary>The figure is for information.</summary>
    public static Bar None => default;

    public static Bar AtLeast(double limit) => new(BarKind.AtLeast, limit);

    public static Bar Below(double limit) => new(BarKind.Below, limit);

    /// <summary>As <see cref="Below"/>, for figures that do not depend on the machine's mood: a run that exceeds it fails.</summary>
    public static Bar Budget(double limit) => new(BarKind.Budget, limit);

    /// <summary>Whether a value reaches it; null without a bar.</summary>
    public bool? Holds(double value) => Kind switch
    {
        BarKind.AtLeast => value >= Limit,
        BarKind.Below or BarKind.Budget => value < Limit,
        _ => null,
    };

    public override string ToString() => Kind switch
    {
        BarKind.AtLeast => string.Create(CultureInfo.InvariantCulture, $">= {Limit:0.##}"),
        BarKind.Below or BarKind.Budget => string.Create(CultureInfo.InvariantCulture, $"< {Limit:0.##}"),
        _ => "",
    };
}

/// <summary>The sides of a limit.</summary>
internal enum BarKind
{
    None,
    AtLeast,
    Below,
    Budget,
}
