using System.Text.RegularExpressions;

namespace Serve.Tests.Monitoring;

/// <summary>docs/metrics.md has every metric that a scrape can have, and no page names one that none has.</summary>
public sealed partial class MetricsDocumentTests
{
    private const string WriteVariable = "SERVE_TESTS_WRITE_DOCS";

    [Fact]
    public async Task The_tables_are_what_the_server_exposes()
    {
        var page = await File.ReadAllTextAsync(MetricsDocument.Path, TestContext.Current.CancellationToken);
        var expected = MetricsDocument.Write(page, await MetricFamily.AllAsync());
        if (Environment.GetEnvironmentVariable(WriteVariable) is { Length: > 0 }) await File.WriteAllTextAsync(MetricsDocument.Path, page = expected, TestContext.Current.CancellationToken);
        Assert.True(page == expected, "docs/metrics.md is not what the server exposes: make metrics writes its tables anew.");
    }

    [Fact]
    public async Task No_page_names_a_metric_that_the_server_does_not_expose()
    {
        var names = (await MetricFamily.AllAsync()).Select(family => family.Name).ToHashSet(StringComparer.Ordinal);
        string[] pages = [.. Directory.GetFiles(Path.Combine(EndToEnd.Repository.Root, "docs"), "*.md", SearchOption.AllDirectories), .. Directory.GetFiles(EndToEnd.Repository.Root, "*.md")];
        var unknown = pages.SelectMany(page => Name().Matches(File.ReadAllText(page))
            .Where(name => !names.Contains(name.Value) && !names.Contains(MetricFamily.NameOf(name.Value)))
            .Select(name => $"{Path.GetFileName(page)}: {name.Value}"));
        Assert.Empty(unknown);
    }

    // Not serve_batch_*, and not the names that recording rules make, which have colons.
    [GeneratedRegex(@"(?<![\w:/.-])(serve|ts)_[a-z0-9_]+_(total|seconds|bytes|ratio|info|size|state|requests|capacity|answers|second|flight|wanted|celsius|watts|microseconds|bucket|sum|count)(?![\w*:(/.-])")]
    private static partial Regex Name();
}
