namespace Serve.Tests.Compatibility;

/// <summary>Asks a running server for every row of docs/torchserve-compatibility.md, and keeps that page what the rows say.</summary>
public sealed class CompatibilityTests : IClassFixture<CompatibilityServer>
{
    private const string WriteVariable = "SERVE_TESTS_WRITE_DOCS";

    private static readonly string Page = Path.Combine(Serve.Tests.EndToEnd.Repository.Root, "docs", "torchserve-compatibility.md");

    private readonly CompatibilityServer _server;

    public CompatibilityTests(CompatibilityServer server, ITestOutputHelper output)
    {
        _server = server;
        server.Server.ShowLogs(output);
    }

    public static TheoryData<string, string> Checked
    {
        get
        {
            var rows = new TheoryData<string, string>();
            foreach (var section in CompatibilityDocument.Sections)
            {
                foreach (var row in section.Rows.Where(row => row.Check is not null)) rows.Add(section.Number, row.Rule);
            }

            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Checked))]
    public Task Serve_does_what_the_row_says(string section, string rule) => RowOf(section, rule).Check!(_server);

    [Fact]
    public void No_row_claims_anything_without_a_test()
    {
        Assert.All(CompatibilityDocument.Sections.SelectMany(section => section.Rows), row =>
        {
            if (row.Outcome is Outcome.Same or Outcome.Differs) Assert.True(row.Check is not null || row.Evidence is { IsTest: true }, row.Rule);
            if (row.Outcome is Outcome.Differs or Outcome.Not) Assert.NotEmpty(row.Note);
        });
    }

    [Fact]
    public async Task The_page_is_what_the_rows_say()
    {
        var page = CompatibilityDocument.Write();
        if (Environment.GetEnvironmentVariable(WriteVariable) is { Length: > 0 }) await File.WriteAllTextAsync(Page, page, TestContext.Current.CancellationToken);
        Assert.True(File.Exists(Page) && await File.ReadAllTextAsync(Page, TestContext.Current.CancellationToken) == page, "docs/torchserve-compatibility.md is not what the rows say: make compatibility writes it anew.");
    }

    private static Row RowOf(string section, string rule) =>
        CompatibilityDocument.Sections.Where(candidate => candidate.Number == section).SelectMany(candidate => candidate.Rows).Single(row => row.Rule == rule);
}
