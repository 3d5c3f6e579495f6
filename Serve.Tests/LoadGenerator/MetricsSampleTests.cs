using Serve.LoadGenerator.ServerSide;

namespace Serve.Tests.LoadGenerator;

public sealed class MetricsSampleTests
{
    [Fact]
    public void Series_are_read_with_their_labels()
    {
        var sample = MetricsSample.Parse("# HELP a b\na 1\na{x=\"1\",y=\"q\\\"} \\\\\"} 2.5 1700000000\nb{} +Inf\nbroken{x=1} 3\nbroken{\nalso broken\n\n");
        Assert.Equal([1, 2.5], sample.Of("a").Select(series => series.Value));
        Assert.Equal("q\"} \\", sample.Of("a")[1].Label("y"));
        Assert.Empty(sample.Of("broken"));
        Assert.Equal(1, sample.Sum("a", series => series.Label("x").Length == 0));
    }

    [Fact]
    public void What_lies_between_two_scrapes_is_told_in_means()
    {
        var figures = ServerFigures.Between(Scrape(queue: 1, count: 10, batches: 2), Scrape(queue: 3, count: 20, batches: 4), ["m"])!;
        Assert.Equal(TimeSpan.FromSeconds(.2), figures.Stages.Single(stage => stage.Stage == "queue").Mean);
        Assert.Equal(5, figures.MeanBatch);
        Assert.Equal(("queue_full", 10L), (figures.Rejected.Single().Key, figures.Rejected.Single().Value));
        Assert.Null(ServerFigures.Between(Scrape(1, 10, 2), Scrape(3, 20, 4), ["other"]));
        Assert.Null(ServerFigures.Between(MetricsSample.Parse(""), MetricsSample.Parse("nginx_up 1"), ["m"]));

        static MetricsSample Scrape(double queue, int count, int batches) => MetricsSample.Parse($$"""
            serve_stage_duration_seconds_sum{model="m",version="1.0",stage="queue"} {{queue}}
            serve_stage_duration_seconds_count{model="m",version="1.0",stage="queue"} {{count}}
            serve_stage_duration_seconds_sum{model="n",version="1.0",stage="queue"} 99
            serve_stage_duration_seconds_count{model="n",version="1.0",stage="queue"} {{count * 3}}
            serve_batch_size_sum{model="m",version="1.0"} {{count}}
            serve_batch_size_count{model="m",version="1.0"} {{batches}}
            serve_rejected_total{model="m",version="1.0",reason="queue_full"} {{count}}
            """);
    }

    [Fact]
    public void Devices_are_told_by_worker_and_none_is_busy_for_more_than_the_time()
    {
        static MetricsSample Scrape(params (string Worker, double Seconds)[] workers) =>
            MetricsSample.Parse(string.Join('\n', workers.Select(worker => $"serve_worker_device_busy_seconds_total{{model=\"m\",version=\"1.0\",worker=\"{worker.Worker}\"}} {worker.Seconds}")));

        var shares = ServerFigures.WorkersBusyOf(Scrape(("1", 100), ("2", 50)), Scrape(("1", 110.2), ("2", 51), ("3", 5)), _ => true, elapsed: 10);
        Assert.Equal([.1, .5, 1], shares.Select(share => Math.Round(share, 9)));
    }
}
