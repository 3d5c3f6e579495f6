using System.Net;

namespace Serve.Tests.EndToEnd;

/// <summary>
/// The number of workers follows the load. A class of its own, beside which others run: it mostly waits, because arrivals are
/// a mean over ten seconds.
/// </summary>
public sealed class AutoscalingTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Workers_become_more_under_load_and_fewer_after_it()
    {
        await using var server = await HandlerServer.StartAsync(output);
        await server.ServeAsync("crowded", "SleeperHandler", """
            maxWorkers: 2
            batchSize: 1
            instances: 1
            autoscale: { upAfter: 1, downAfter: 1 }
            handlerOptions: { batchMilliseconds: "20" }
            """);
        var first = Assert.Single(await server.WorkerPidsAsync("crowded"));
        using var stop = new CancellationTokenSource();
        var clients = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested) Assert.Equal(HttpStatusCode.OK, (await server.PredictAsync("crowded", [1])).Status);
        })).ToList();

        await server.WaitForLogAsync(line => line.Contains("autoscale: 1 -> 2 workers: headroom was below 0.2 for 1 s", StringComparison.Ordinal));
        await Eventually.BecomesAsync("two workers", () => server.WorkerPidsAsync("crowded"), pids => pids.Count == 2);
        Assert.Equal(1, await StepsAsync("headroom"));
        await stop.CancelAsync();
        await Task.WhenAll(clients);

        await server.WaitForLogAsync(line => line.Contains("autoscale: 2 -> 1 workers: one less leaves enough, and did for 1 s", StringComparison.Ordinal));
        await Eventually.BecomesAsync("the first worker alone is left", () => server.WorkerPidsAsync("crowded"), pids => pids.SequenceEqual([first]));
        Assert.Equal((1, 1), (await StepsAsync("headroom"), await StepsAsync("spare")));
        Assert.Equal(HttpStatusCode.OK, (await server.PredictAsync("crowded", [1])).Status);

        Task<double> StepsAsync(string reason) => server.MetricAsync($"serve_autoscale_steps_total{{model=\"crowded\",version=\"1.0\",reason=\"{reason}\"}}");
    }
}
