using System.Globalization;
using Spectre.Console;

namespace Serve.Benchmarks.Reporting;

/// <summary>The figures of one run, in the order in which they were measured.</summary>
internal sealed class Report
{
    private readonly List<Figure> _figures = [];

    private readonly List<Omission> _omissions = [];

    public IReadOnlyList<Figure> Figures => _figures;

    /// <summary>What could not be measured here.</summary>
    public IReadOnlyList<Omission> Omissions => _omissions;

    /// <summary>Whether every bar holds.</summary>
    public bool Holds => _figures.TrueForAll(figure => figure.Holds != false);

    /// <summary>Whether every budget is kept.</summary>
    public bool IsWithinBudgets => _figures.TrueForAll(figure => figure.Bar.Kind != BarKind.Budget || figure.Holds != false);

    public void Add(string scenario, string name, string unit, Bar bar, IReadOnlyList<double> rounds) =>
        _figures.Add(new Figure(scenario, name, unit, bar, rounds));

    /// <summary>Says why a figure is not there.</summary>
    public void Omit(string scenario, string name, string reason) => _omissions.Add(new Omission(scenario, name, reason));

    /// <summary>Prints the figures of one scenario, or of all.</summary>
    public void Print(string? scenario = null)
    {
        var table = new Table { Border = AnsiConsole.Profile.Capabilities.Ansi ? TableBorder.Rounded : TableBorder.Markdown };
        table.AddColumns("figure", "unit");
        foreach (var numeric in (string[])["median", "min .. max", "bar"]) table.AddColumn(new TableColumn(numeric).RightAligned());
        table.AddColumn("verdict");
        foreach (var figure in _figures.Where(figure => scenario is null || figure.Scenario == scenario))
        {
            table.AddRow(
                Markup.Escape($"{figure.Scenario}: {figure.Name}"),
                Markup.Escape(figure.Unit),
                Number(figure.Median),
                $"{Number(figure.Min)} .. {Number(figure.Max)}",
                Markup.Escape(figure.Bar.ToString()),
                figure.Holds switch { true => "[green]holds[/]", false => "[red]MISSED[/]", null => "" });
        }

        foreach (var omission in _omissions.Where(omission => scenario is null || omission.Scenario == scenario))
            table.AddRow(Markup.Escape($"{omission.Scenario}: {omission.Name}"), "", "", "", "", Markup.Escape($"not measured: {omission.Reason}"));

        AnsiConsole.Write(table);
    }

    private static string Number(double value) => Math.Abs(value) switch
    {
        >= 100 => value.ToString("#,0", CultureInfo.InvariantCulture),
        >= 10 => value.ToString("0.0", CultureInfo.InvariantCulture),
        _ => value.ToString("0.00", CultureInfo.InvariantCulture),
    };
}
