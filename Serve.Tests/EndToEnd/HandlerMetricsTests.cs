using System.Net;

namespace Serve.Tests.EndToEnd;

/// <summary>Metrics of handlers on their way from the worker to Prometheus.</summary>
public sealed class HandlerMetricsTests : IClassFixture<HandlerServer>
{
    private readonly ServerFixture _server;

    public HandlerMetricsTests(HandlerServer server, ITestOutputHelper output)
    {
        _server = server.Server;
        _server.ShowLogs(output);
    }

    [Fact]
    public async Task What_a_handler_counts_is_exported_and_survives_its_worker()
    {
        await _server.ServeAsync("metered", "MetricsHandler");
        await PredictAsync("book 0.5");
        await PredictAsync("book 2");
        await PredictAsync("lamp 0.05");

        const string Of = "model=\"metered\",version=\"1.0\"";
        await IsAsync($"test_items_total{{{Of},kind=\"book\"}}", 2);
        await IsAsync($"test_items_total{{{Of},kind=\"lamp\"}}", 1);
        await IsAsync($"test_item_seconds_bucket{{{Of},le=\"1\"}}", 2);
        await IsAsync($"test_item_seconds_count{{{Of}}}", 3);
        Assert.Matches($"test_last_seconds{{{Of},worker=\"\\d+\"}} 0.05\n", await _server.ScrapeAsync("test_last_seconds"));

        await _server.PredictAsync("metered", "die"u8.ToArray());
        await Eventually.BecomesAsync("another worker serves", () => _server.PredictAsync("metered", "book 1"u8.ToArray()), answer => answer.Status == HttpStatusCode.OK);
        await IsAsync($"test_items_total{{{Of},kind=\"book\"}}", 3);

        await _server.ManageAsync(HttpMethod.Delete, "/models/metered");
        Assert.DoesNotContain("model=\"metered\"", await _server.ScrapeAsync("test_items_total"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Kinds_without_end_stop_at_the_limit()
    {
        await _server.ServeAsync("endless", "MetricsHandler");
        Assert.Equal(HttpStatusCode.OK, (await _server.PredictAsync("endless", "many 5000"u8.ToArray())).Status);
        await Eventually.BecomesAsync("a thousand series", async () => (await _server.ScrapeAsync("test_items_total")).Split("model=\"endless\"").Length - 1, count => count is 1000);
    }

    [Fact]
    public async Task A_name_of_the_servers_fails_the_load()
    {
        HandlerModels.Write(_server.ModelStore, "forger", "MetricsHandler", "handlerOptions: { metric: serve_requests_total }");
        var answer = await _server.RegisterAsync("forger/1.0");
        Assert.Contains("is a name of the server's own metrics", answer.Error.Message, StringComparison.Ordinal);
    }

    private async Task PredictAsync(string body) => Assert.Equal(HttpStatusCode.OK, (await _server.PredictAsync("metered", System.Text.Encoding.UTF8.GetBytes(body))).Status);

    private Task<double> IsAsync(string series, double value) => Eventually.BecomesAsync($"{series} is {value}", () => _server.MetricAsync(series), now => now == value);
}
