using Serve.Tests.Compatibility;

namespace Serve.Tests.Conformance;

/// <summary>Keeps the table in docs/open-inference-protocol.md what the rows say, and the rows what tests show.</summary>
public sealed class ConformanceTests
{
    private const string WriteVariable = "SERVE_TESTS_WRITE_DOCS";

    private static readonly string Page = Path.Combine(EndToEnd.Repository.Root, "docs", "open-inference-protocol.md");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void No_row_claims_anything_without_a_test() => Assert.All(ConformanceDocument.Sections.SelectMany(section => section.Rows), row =>
    {
        if (row.Outcome is Outcome.Same or Outcome.Differs) Assert.True(row.Evidence is { IsTest: true }, row.Rule);
        if (row.Outcome is Outcome.Differs or Outcome.Not) Assert.NotEmpty(row.Note);
    });

    [Fact]
    public async Task The_table_is_what_the_rows_say()
    {
        var page = await File.ReadAllTextAsync(Page, Cancellation);
        var written = ConformanceDocument.Write(page);
        if (Environment.GetEnvironmentVariable(WriteVariable) is { Length: > 0 }) await File.WriteAllTextAsync(Page, page = written, Cancellation);
        Assert.True(page == written, "docs/open-inference-protocol.md is not what the rows say: make compatibility writes its table anew.");
    }
}
