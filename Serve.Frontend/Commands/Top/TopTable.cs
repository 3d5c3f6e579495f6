using Spectre.Console;

namespace Serve.Frontend.Commands.Top;

/// <summary>A table that keeps to a width by shortening one column, the names.</summary>
internal static class TopTable
{
    private const int Narrowest = 8;

    /// <summary>Makes it.</summary>
    /// <param name="columns">Headers, and whether numbers stand below.</param>
    /// <param name="rows">A cell for each column.</param>
    /// <param name="shrinks">The column that gives way.</param>
    /// <param name="width">Letters that a line may have.</param>
    public static Table Make(IReadOnlyList<(string Header, bool IsNumber)> columns, IReadOnlyList<TopCell[]> rows, int shrinks, int width)
    {
        var others = columns.Select((column, i) => i == shrinks ? 0 : Math.Max(column.Header.Length, rows.Max(row => row[i].Text.Length)) + 1).Sum();
        var room = Math.Max(Narrowest, width - others);
        var table = new Table { Border = TableBorder.None };
        for (var i = 0; i < columns.Count; i++)
        {
            var column = new TableColumn(new Text(columns[i].Header, new Style(decoration: Decoration.Bold))).NoWrap().Padding(0, 0, i < columns.Count - 1 ? 1 : 0, 0);
            table.AddColumn(columns[i].IsNumber ? column.RightAligned() : column);
        }

        foreach (var row in rows) table.AddRow(row.Select((cell, i) => (i == shrinks ? cell.CutTo(room) : cell).ToMarkup()));
        return table;
    }
}

/// <summary>A cell: plain text in a colour.</summary>
/// <param name="Text">The text.</param>
/// <param name="Colour">Its colour; null: the terminal's own.</param>
internal readonly record struct TopCell(string Text, string? Colour = null)
{
    public Markup ToMarkup() => new(Colour is null ? Markup.Escape(Text) : $"[{Colour}]{Markup.Escape(Text)}[/]");

    public TopCell CutTo(int letters) => Text.Length <= letters ? this : this with { Text = $"{Text.AsSpan(0, letters - 1)}…" };
}
