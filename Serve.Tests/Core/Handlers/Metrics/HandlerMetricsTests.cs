using Serve.Core.Handlers.Metrics;

namespace Serve.Tests.Core.Handlers.Metrics;

public sealed class HandlerMetricsTests
{
    private readonly HandlerMetrics _metrics = new();

    [Fact]
    public void What_is_counted_is_told_once_until_it_changes()
    {
        var hits = _metrics.Counter("hits_total", "requests", "cache");
        Assert.Null(_metrics.TakeChanges());
        hits.Increment("warm");
        hits.Add(2.5, "warm");
        hits.Increment("cold");
        _metrics.Gauge("temperature").Set(-3);

        var told = _metrics.TakeChanges()!;
        Assert.Equal(["hits_total", "temperature"], told.Select(metric => metric.Name));
        Assert.Equal(("requests", MetricType.Counter), (told[0].Unit, told[0].Type));
        Assert.Equal([("warm", 3.5), ("cold", 1)], told[0].Series.Select(series => (series.Values.Single(), series.Value)));
        Assert.Equal(-3, told[1].Series.Single().Value);
        Assert.Null(_metrics.TakeChanges());
    }

    [Fact]
    public void A_histogram_counts_each_value_in_the_first_bucket_that_holds_it()
    {
        var seconds = _metrics.Histogram("seconds", "s", [1, 2]);
        foreach (var value in (double[])[0.5, 1, 1.5, 3]) seconds.Observe(value);

        var told = _metrics.TakeChanges()!.Single();
        Assert.Equal([1.0, 2.0], told.Buckets!);
        Assert.Equal([2L, 1L, 1L], told.Series.Single().Counts!);
        Assert.Equal(6, told.Series.Single().Value);
    }

    [Fact]
    public void Sums_stay_numbers_that_JSON_can_hold()
    {
        var seconds = _metrics.Histogram("seconds", "s", [1]);
        seconds.Observe(double.MaxValue);
        seconds.Observe(double.MaxValue);

        Assert.Equal(double.MaxValue, _metrics.TakeChanges()!.Single().Series.Single().Value);
    }

    [Fact]
    public void Series_beyond_the_limit_are_left_out_and_those_there_go_on()
    {
        var counter = _metrics.Counter("c", "", "id");
        for (var i = 0; i < MetricRules.MostSeries + 5; i++) counter.Increment($"{i}");
        counter.Increment("0");

        Assert.Equal(5, _metrics.LeftOut);
        var series = _metrics.TakeChanges()!.Single().Series;
        Assert.Equal(MetricRules.MostSeries, series.Count);
        Assert.Equal(2, series[0].Value);
    }

    [Fact]
    public void The_same_declaration_is_the_same_metric_and_another_one_is_an_error()
    {
        _metrics.Counter("c", "x", "a").Increment("1");
        _metrics.Counter("c", "x", "a").Increment("1");
        Assert.Equal(2, _metrics.TakeChanges()!.Single().Series.Single().Value);

        Assert.Throws<ArgumentException>(() => _metrics.Gauge("c", "x", "a"));
        Assert.Throws<ArgumentException>(() => _metrics.Counter("c", "x", "b"));
        for (var i = 1; i < MetricRules.MostMetrics; i++) _metrics.Counter($"c{i}");
        Assert.Contains("one metric too many", Assert.Throws<ArgumentException>(() => _metrics.Counter("last")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("1st")]
    [InlineData("with space")]
    [InlineData("inject{a=\"b\"} 1\nx")]
    [InlineData("naïve")]
    [InlineData("serve_requests_total")]
    [InlineData("ts_mine")]
    [InlineData("PredictionTime")]
    public void Names_that_would_hurt_the_scrape_are_refused(string name) => Assert.Throws<ArgumentException>(() => _metrics.Counter(name));

    [Theory]
    [InlineData("model")]
    [InlineData("worker")]
    [InlineData("le")]
    [InlineData("__name__")]
    [InlineData("a-b")]
    public void Dimensions_that_are_the_servers_are_refused(string dimension) => Assert.Throws<ArgumentException>(() => _metrics.Counter("c", "", dimension));

    [Fact]
    public void Values_that_are_no_measurement_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => _metrics.Counter("c").Add(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => _metrics.Gauge("g").Set(double.NaN));
        Assert.Throws<ArgumentOutOfRangeException>(() => _metrics.Histogram("h").Observe(double.PositiveInfinity));
        Assert.Throws<ArgumentException>(() => _metrics.Histogram("h2", "", [2, 1]));
        Assert.Throws<ArgumentException>(() => _metrics.Histogram("h3", "", []));
        Assert.Throws<ArgumentException>(() => _metrics.Counter("d", "", "a", "b").Increment("only one"));
        Assert.Null(_metrics.TakeChanges()?.SelectMany(metric => metric.Series).FirstOrDefault());
    }

    [Fact]
    public void Many_threads_lose_nothing()
    {
        var counter = _metrics.Counter("c", "", "a");
        Parallel.For(0, 8, _ =>
        {
            for (var i = 0; i < 1000; i++) counter.Increment("x");
        });
        Assert.Equal(8000, _metrics.TakeChanges()!.Single().Series.Single().Value);
    }
}
