using System.Text;
using Serve.Tests.Compatibility.Rows;

namespace Serve.Tests.Compatibility;

/// <summary>All rows, and the page that is made of them.</summary>
internal static class CompatibilityDocument
{
    public static IReadOnlyList<Section> Sections { get; } =
        [.. InferenceRows.All, .. ErrorRows.All, .. ProtocolRows.All, .. ManagementRows.All, .. MetricsRows.All, .. ConfigurationRows.All, .. BehaviourRows.All];

    /// <summary>The page in Markdown.</summary>
    public static string Write()
    {
        var rows = Sections.SelectMany(section => section.Rows).ToList();
        var page = new StringBuilder($"""
            # Compatibility with TorchServe

            Every rule of the interfaces of TorchServe 0.12.0 (its last release), and how Serve stands to it. This page is written by the tests (`make compatibility`): a row says *same* or *differs* only if a test asks a running server, and another test fails when this page says something else than the rows. [rest-api.md](rest-api.md#where-serve-differs-from-torchserve) explains the differences, [migrating-from-torchserve.md](migrating-from-torchserve.md) how to bring an installation over.

            | | rows |
            | --- | ---: |
            | same | {rows.Count(row => row.Outcome == Outcome.Same)} |
            | differs, on purpose | {rows.Count(row => row.Outcome == Outcome.Differs)} |
            | later: not there yet | {rows.Count(row => row.Outcome == Outcome.Later)} |
            | no: will not be there | {rows.Count(row => row.Outcome == Outcome.Not)} |

            """);
        var chapter = "";
        foreach (var section in Sections)
        {
            if (section.Number.Split('.')[0] != chapter)
            {
                chapter = section.Number.Split('.')[0];
                page.Append($"\n## {Chapter(chapter)}\n");
            }

            page.Append($"\n### {section.Number} {section.Title}\n\n| TorchServe | Serve | |\n| --- | --- | --- |\n");
            foreach (var row in section.Rows) page.Append($"| {Cell(row.Rule)} | {Word(row.Outcome)} | {Cell(row.Note)} |\n");
        }

        return page.ToString().ReplaceLineEndings("\n");
    }

    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);

    private static string Word(Outcome outcome) => outcome switch
    {
        Outcome.Same => "same",
        Outcome.Differs => "differs",
        Outcome.Later => "later",
        _ => "no",
    };

    private static string Chapter(string number) => number switch
    {
        "1" => "Inference",
        "2" => "Management",
        "3" => "Metrics and logs",
        "4" => "Configuration",
        _ => "Behaviour",
    };
}
