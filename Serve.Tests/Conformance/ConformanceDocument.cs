using System.Text;
using Serve.Tests.Compatibility;

namespace Serve.Tests.Conformance;

/// <summary>The table in docs/open-inference-protocol.md, made of the rows: every rule of the protocol and of Triton's extensions, and how Serve stands to it.</summary>
internal static class ConformanceDocument
{
    private const string Begin = "<!-- conformance: written by the tests -->";
    private const string End = "<!-- end of conformance -->";

    public static IReadOnlyList<Section> Sections { get; } = [.. ControlRows.All, .. InferRows.All, .. ExtensionRows.All];

    /// <summary>The page with the table as the rows have it.</summary>
    /// <param name="page">The page as it is.</param>
    public static string Write(string page)
    {
        var (begin, end) = (page.IndexOf(Begin, StringComparison.Ordinal), page.IndexOf(End, StringComparison.Ordinal));
        Assert.True(begin >= 0 && end > begin, $"docs/open-inference-protocol.md needs the lines {Begin} and {End}.");
        return page[..(begin + Begin.Length)] + Table() + page[end..];
    }

    private static string Table()
    {
        var rows = Sections.SelectMany(section => section.Rows).ToList();
        var table = new StringBuilder($"\n\n{Count(Outcome.Same)} rules are kept, {Count(Outcome.Differs)} on purpose kept otherwise, {Count(Outcome.Later)} are not there yet, {Count(Outcome.Not)} will not be.\n");
        foreach (var section in Sections)
        {
            table.Append($"\n### {section.Title}\n\n| rule | Serve | |\n| --- | --- | --- |\n");
            foreach (var row in section.Rows) table.Append($"| {Cell(row.Rule)} | {Word(row.Outcome)} | {Cell(row.Note)} |\n");
        }

        return table.Append('\n').ToString();

        int Count(Outcome outcome) => rows.Count(row => row.Outcome == outcome);
    }

    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);

    private static string Word(Outcome outcome) => outcome switch
    {
        Outcome.Same => "same",
        Outcome.Differs => "differs",
        Outcome.Later => "later",
        _ => "no",
    };
}
