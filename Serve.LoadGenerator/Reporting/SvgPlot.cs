using System.Globalization;
using System.Net;
using System.Text;

namespace Serve.LoadGenerator.Reporting;

/// <summary>A line plot as SVG, readable without anything else, in light and dark surroundings.</summary>
public sealed record SvgPlot
{
    private const int Width = 720;
    private const int Height = 400;
    private const int Left = 76;
    private const int Margin = 20;
    private const int LegendWidth = 170;
    private const int Top = 44;
    private const int Bottom = 52;
    private const int TicksWanted = 6;

    // Told apart by people with any colour vision (Okabe and Ito).
    private static readonly string[] Colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f"];

    /// <summary>What it shows.</summary>
    public required string Title { get; init; }

    /// <summary>What its x axis is, with the unit.</summary>
    public required string XLabel { get; init; }

    /// <summary>What its y axis is, with the unit.</summary>
    public required string YLabel { get; init; }

    /// <summary>Whether x is logarithmic; then only points above 0 are drawn.</summary>
    public bool IsXLogarithmic { get; init; }

    /// <summary>Whether y is logarithmic; then only points above 0 are drawn.</summary>
    public bool IsYLogarithmic { get; init; }

    /// <summary>The lines.</summary>
    public required IReadOnlyList<PlotLine> Lines { get; init; }

    /// <summary>A line across, for an objective.</summary>
    public (double Y, string Name)? Mark { get; init; }

    // Where the plot ends: the legend stands beside it, never over a line.
    private int End => Width - Margin - (Lines.Any(line => line.Name.Length > 0) ? LegendWidth : 0);

    /// <summary>The plot as a whole SVG document.</summary>
    public string ToSvg()
    {
        var lines = Lines.Select(line => line with { Points = [.. line.Points.Where(IsDrawable)] }).ToList();
        var points = lines.SelectMany(line => line.Points).ToList();
        var x = Axis.Over(points.Select(point => point.X), IsXLogarithmic, Left, End);
        var y = Axis.Over(points.Select(point => point.Y).Concat(Mark is { } mark && (mark.Y > 0 || !IsYLogarithmic) ? [mark.Y] : []), IsYLogarithmic, Height - Bottom, Top);
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"""
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Width} {Height}" role="img" aria-label="{Escape(Title)}" font-family="system-ui, sans-serif" font-size="13">
            <rect width="{Width}" height="{Height}" fill="#ffffff"/>
            <text x="{Left}" y="22" font-size="15" font-weight="600" fill="#1a1a1a">{Escape(Title)}</text>

            """);
        DrawAxes(svg, x, y);
        if (Mark is { } drawn && (drawn.Y > 0 || !IsYLogarithmic)) DrawMark(svg, y.At(drawn.Y), drawn.Name);
        for (var i = 0; i < lines.Count; i++) DrawLine(svg, lines[i], Colours[i % Colours.Length], i, x, y);
        return svg.Append("</svg>\n").ToString();
    }

    private bool IsDrawable(PlotPoint point) =>
        double.IsFinite(point.X) && double.IsFinite(point.Y) && (!IsXLogarithmic || point.X > 0) && (!IsYLogarithmic || point.Y > 0);

    private void DrawAxes(StringBuilder svg, Axis x, Axis y)
    {
        foreach (var tick in x.Ticks()) Text(svg.Append(CultureInfo.InvariantCulture, $"<line x1=\"{x.At(tick):0.#}\" x2=\"{x.At(tick):0.#}\" y1=\"{Top}\" y2=\"{Height - Bottom}\" stroke=\"#e5e5e5\"/>"), x.At(tick), Height - Bottom + 18, "middle", Shown(tick));
        foreach (var tick in y.Ticks()) Text(svg.Append(CultureInfo.InvariantCulture, $"<line x1=\"{Left}\" x2=\"{End}\" y1=\"{y.At(tick):0.#}\" y2=\"{y.At(tick):0.#}\" stroke=\"#e5e5e5\"/>"), Left - 8, y.At(tick) + 4, "end", Shown(tick));
        Text(svg, (Left + End) / 2.0, Height - 12, "middle", XLabel);
        svg.Append(CultureInfo.InvariantCulture, $"<text transform=\"translate(16 {(Top + Height - Bottom) / 2}) rotate(-90)\" text-anchor=\"middle\" fill=\"#444444\">{Escape(YLabel)}</text>\n");
    }

    private void DrawMark(StringBuilder svg, double at, string name)
    {
        svg.Append(CultureInfo.InvariantCulture, $"<line x1=\"{Left}\" x2=\"{End}\" y1=\"{at:0.#}\" y2=\"{at:0.#}\" stroke=\"#1a1a1a\" stroke-dasharray=\"6 4\"/>");
        Text(svg, End - 4, at - 5, "end", name);
    }

    private void DrawLine(StringBuilder svg, PlotLine line, string colour, int number, Axis x, Axis y)
    {
        svg.Append(CultureInfo.InvariantCulture, $"<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"");
        foreach (var point in line.Points) svg.Append(CultureInfo.InvariantCulture, $"{x.At(point.X):0.#},{y.At(point.Y):0.#} ");
        svg.Append("\"/>\n");
        foreach (var point in line.Points)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<circle cx=\"{x.At(point.X):0.#}\" cy=\"{y.At(point.Y):0.#}\" r=\"3.5\" fill=\"{colour}\"><title>{Escape(point.Name ?? $"{Shown(point.X)}, {Shown(point.Y)}")}</title></circle>");
            if (point.Name is not null) Text(svg, x.At(point.X) + 6, y.At(point.Y) - 6, "start", point.Name);
        }

        if (line.Name.Length == 0) return;
        var row = Top + 10 + (number * 18);
        svg.Append(CultureInfo.InvariantCulture, $"<line x1=\"{End + 12}\" x2=\"{End + 28}\" y1=\"{row}\" y2=\"{row}\" stroke=\"{colour}\" stroke-width=\"3\"/>");
        Text(svg, End + 34, row + 4, "start", line.Name);
    }

    private static void Text(StringBuilder svg, double x, double y, string anchor, string text) =>
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{x:0.#}\" y=\"{y:0.#}\" text-anchor=\"{anchor}\" fill=\"#444444\">{Escape(text)}</text>\n");

    private static string Shown(double value) => Math.Abs(value) switch
    {
        >= 10_000 => (value / 1000).ToString("0.#", CultureInfo.InvariantCulture) + "k",
        >= 1 or 0 => value.ToString("0.##", CultureInfo.InvariantCulture),
        _ => value.ToString("0.####", CultureInfo.InvariantCulture),
    };

    private static string Escape(string text) => WebUtility.HtmlEncode(text);

    private sealed record Axis(double Least, double Greatest, bool IsLogarithmic, double From, double To)
    {
        public static Axis Over(IEnumerable<double> values, bool isLogarithmic, double from, double to)
        {
            var all = values.ToList();
            if (all.Count == 0) all = [1];
            if (isLogarithmic)
            {
                var (low, high) = (Math.Floor(Math.Log10(all.Min())), Math.Ceiling(Math.Log10(all.Max())));
                return new Axis(low, high > low ? high : low + 1, true, from, to);
            }

            // Linear axes begin at 0: a difference looks as large as it is.
            var greatest = Math.Max(all.Max(), 1e-9);
            var step = StepFor(greatest);
            return new Axis(0, Math.Ceiling(greatest * 1.02 / step) * step, false, from, to);
        }

        public double At(double value) => From + (((IsLogarithmic ? Math.Log10(value) : value) - Least) / (Greatest - Least) * (To - From));

        public IEnumerable<double> Ticks()
        {
            if (!IsLogarithmic)
            {
                var step = StepFor(Greatest);
                for (var i = 0; i * step <= Greatest * 1.0001; i++) yield return i * step;
                yield break;
            }

            var isShort = Greatest - Least <= 3;
            for (var power = (int)Least; power <= (int)Greatest; power++)
            {
                yield return Math.Pow(10, power);
                if (!isShort || power == (int)Greatest) continue;
                yield return 2 * Math.Pow(10, power);
                yield return 5 * Math.Pow(10, power);
            }
        }

        private static double StepFor(double greatest)
        {
            var rough = greatest / TicksWanted;
            var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
            return (rough / power) switch { <= 1 => 1, <= 2 => 2, <= 5 => 5, _ => 10 } * power;
        }
    }
}

/// <summary>A line of a plot.</summary>
/// <param name="Name">For the legend; empty: it is not in it.</param>
/// <param name="Points">Its points, in their order.</param>
public sealed record PlotLine(string Name, IReadOnlyList<PlotPoint> Points);

/// <summary>A point of a plot.</summary>
/// <param name="X">Where.</param>
/// <param name="Y">Where.</param>
/// <param name="Name">Written beside it, if it is not null.</param>
public sealed record PlotPoint(double X, double Y, string? Name = null);
