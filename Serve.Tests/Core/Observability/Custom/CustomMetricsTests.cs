using System.Text;
using Serve.Core.Handlers.Metrics;
using Serve.Core.Observability.Custom;
using Serve.Frontend.Metrics;

namespace Serve.Tests.Core.Observability.Custom;

public sealed class CustomMetricsTests
{
    private readonly CustomMetrics _metrics = new();

    [Fact]
    public void Workers_are_summed_and_those_that_left_stay_counted()
    {
        Assert.Null(_metrics.Update("9000", [Counter("c", ("a", 1))]));
        Assert.Null(_metrics.Update("9001", [Counter("c", ("a", 10), ("b", 5)), Gauge("g", 7)]));
        _metrics.Update("9000", [Counter("c", ("a", 2))]);
        _metrics.Remove("9001");
        _metrics.Update("9002", [Counter("c", ("a", 100)), Gauge("g", 8)]);

        var families = _metrics.Collect();
        Assert.Equal(["c", "g"], families.Select(family => family.Name));
        Assert.Equal([("a", 112), ("b", 5)], families[0].Series.Select(series => (series.Values[0], series.Value)).Order());
        Assert.Equal([("9002", 8)], families[1].Series.Select(series => (series.Worker!, series.Value)));
    }

    [Fact]
    public void A_stranger_cannot_forge_lines_nor_fill_the_memory()
    {
        Assert.Contains("no name", _metrics.Update("1", [Gauge("x 1\nserve_requests_total", 1)]), StringComparison.Ordinal);
        Assert.Contains("own metrics", _metrics.Update("1", [Gauge("serve_requests_total", 1)]), StringComparison.Ordinal);
        Assert.NotNull(_metrics.Update("1", [new MetricMessage("c", MetricType.Counter, "", ["a"], null, [new SeriesMessage([], 1, null)])]));
        Assert.NotNull(_metrics.Update("1", [new MetricMessage("h", MetricType.Histogram, "", [], [1], [new SeriesMessage([], 1, [1])])]));
        Assert.NotNull(_metrics.Update("1", [new MetricMessage("h", (MetricType)9, "", [], null, [])]));
        Assert.Empty(_metrics.Collect());

        var many = Enumerable.Range(0, MetricRules.MostSeries + 1).Select(i => ($"{i}", 1.0)).ToArray();
        Assert.NotNull(_metrics.Update("1", [Counter("c", many)]));
        for (var life = 0; life < 3; life++)
        {
            _metrics.Update("1", [Counter("c", [.. many.Skip(1).Select(series => ($"{life}-{series.Item1}", 1.0))])]);
            _metrics.Remove("1");
        }

        Assert.Equal(MetricRules.MostSeries, _metrics.Collect().Single().Series.Count);
    }

    [Fact]
    public void Metrics_of_other_names_in_each_life_do_not_fill_the_memory()
    {
        for (var life = 0; life < 3; life++)
        {
            _metrics.Update("1", [Counter("always", ("a", 1)), .. Enumerable.Range(0, MetricRules.MostMetrics - 1).Select(i => Counter($"c{life}_{i}", ("a", 1)))]);
            _metrics.Remove("1");
        }

        Assert.Equal(MetricRules.MostMetrics, _metrics.Collect().Count);
        Assert.Equal(3, _metrics.Collect().Single(family => family.Name == "always").Series.Single().Value);
    }

    [Fact]
    public void They_are_written_as_Prometheus_text()
    {
        _metrics.Update("9000",
        [
            Counter("c_total", ("a\"\\\n", 1.5)),
            Gauge("g", 7),
            new MetricMessage("h", MetricType.Histogram, "s", [], [0.1, 1], [new SeriesMessage([], 3.25, [2, 0, 1])]),
        ]);
        var other = new CustomMetrics();
        other.Update("9001", [new MetricMessage("g", MetricType.Counter, "", [], null, [new SeriesMessage([], 1, null)])]);

        var text = Encoding.UTF8.GetString(CustomMetricsText.Write([.. other.Collect().Select(family => ("n", "1.0", family)), .. _metrics.Collect().Select(family => ("m", "1.0", family))]));
        Assert.Equal(
            """
            # HELP c_total Told by a model's handler; unit: items.
            # TYPE c_total counter
            c_total{model="m",version="1.0",kind="a\"\\\n"} 1.5
            # HELP g Told by a model's handler.
            # TYPE g gauge
            g{model="m",version="1.0",worker="9000"} 7
            # HELP h Told by a model's handler; unit: s.
            # TYPE h histogram
            h_bucket{model="m",version="1.0",le="0.1"} 2
            h_bucket{model="m",version="1.0",le="1"} 2
            h_bucket{model="m",version="1.0",le="+Inf"} 3
            h_sum{model="m",version="1.0"} 3.25
            h_count{model="m",version="1.0"} 3

            """, text);
    }

    private static MetricMessage Counter(string name, params (string Kind, double Value)[] series) =>
        new(name, MetricType.Counter, "items", ["kind"], null, [.. series.Select(one => new SeriesMessage([one.Kind], one.Value, null))]);

    private static MetricMessage Gauge(string name, double value) => new(name, MetricType.Gauge, "", [], null, [new SeriesMessage([], value, null)]);
}
