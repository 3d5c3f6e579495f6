using System.Text;
using Serve.Frontend.Metrics;

namespace Serve.Tests.Frontend.Metrics;

public sealed class MetricsFilterTests
{
    private const string Scrape =
        "# HELP a_total Counts.\n# TYPE a_total counter\na_total{x=\"1\"} 2\n" +
        "# HELP b_seconds Times.\n# TYPE b_seconds histogram\nb_seconds_sum 1\nb_seconds_count 1\nb_seconds_bucket{le=\"1\"} 1\n" +
        "# HELP c Gauge.\n# TYPE c gauge\nc 3\n";

    [Fact]
    public void A_family_is_kept_with_its_help() =>
        Assert.Equal("# HELP a_total Counts.\n# TYPE a_total counter\na_total{x=\"1\"} 2\n", Keep("a_total"));

    [Fact]
    public void A_histogram_brings_all_its_series() => Assert.Equal(5, Keep("b_seconds").Split('\n').Length - 1);

    [Fact]
    public void Several_names_are_a_union() => Assert.Equal(6, Keep("a_total", "c").Split('\n').Length - 1);

    [Fact]
    public void Unknown_names_give_an_empty_answer() => Assert.Equal("", Keep("nothing"));

    [Fact]
    public void Of_OpenMetrics_the_names_are_the_same_and_the_end_stays()
    {
        const string Open = "# HELP a Counts.\n# TYPE a counter\na_total 2.0\n# TYPE c gauge\nc 3.0\n# EOF\n";
        Assert.Equal("# HELP a Counts.\n# TYPE a counter\na_total 2.0\n# EOF\n", Encoding.UTF8.GetString(MetricsFilter.Keep(Encoding.UTF8.GetBytes(Open), new(["a_total"]), isOpen: true).Span));
    }

    private static string Keep(params string[] names) => Encoding.UTF8.GetString(MetricsFilter.Keep(Encoding.UTF8.GetBytes(Scrape), names).Span);
}
