using System.Net;
using System.Text.RegularExpressions;

namespace Serve.Tests.EndToEnd;

/// <summary>TorchServe's metrics of a real server, as its dashboards and test collections look for them.</summary>
public sealed partial class TorchServeMetricsTests : IClassFixture<HandlerServer>
{
    private readonly ServerFixture _server;
    private readonly string _host = Dns.GetHostName();

    public TorchServeMetricsTests(HandlerServer server, ITestOutputHelper output)
    {
        _server = server.Server;
        _server.ShowLogs(output);
    }

    [Fact]
    public async Task Requests_are_counted_by_TorchServes_names()
    {
        await _server.ServeAsync("ts-counted", "EchoHandler");
        var before = await _server.MetricAsync($$"""Requests2XX{Level="Host",Hostname="{{_host}}",}""");
        for (var i = 0; i < 3; i++) Assert.Equal(HttpStatusCode.OK, (await _server.PredictAsync("ts-counted", "x"u8.ToArray())).Status);

        var of = $$"""{model_name="ts-counted",model_version="1.0",hostname="{{_host}}",}""";
        await Eventually.BecomesAsync("three requests are counted", () => _server.MetricAsync("ts_inference_requests_total" + of), count => count is 3);
        var (latency, queue) = (await _server.MetricAsync("ts_inference_latency_microseconds" + of), await _server.MetricAsync("ts_queue_latency_microseconds" + of));
        Assert.True(latency > queue && queue > 0, $"{latency} µs, of them {queue} µs of waiting");
        Assert.True(await _server.MetricAsync($$"""Requests2XX{Level="Host",Hostname="{{_host}}",}""") >= before + 3);
        Assert.True(await _server.MetricAsync($$"""PredictionTime{ModelName="ts-counted",Level="Model",Hostname="{{_host}}",}""") > 0);
        Assert.Matches($$"""WorkerLoadTime\{WorkerName="W-\d+-ts-counted_1\.0",Level="Host",Hostname="{{Regex.Escape(_host)}}",\} \d+\.\d+""", await _server.ScrapeAsync("WorkerLoadTime"));
    }

    [Fact]
    public async Task A_scrape_keeps_the_families_that_are_asked_for()
    {
        var scrape = await _server.ScrapeAsync("CPUUtilization", "DiskUsage", "serve_build_info", "no_such_metric");
        var expected = OperatingSystem.IsLinux() ? (string[])["CPUUtilization", "DiskUsage", "serve_build_info"] : ["DiskUsage", "serve_build_info"];
        Assert.Equal(expected, Family().Matches(scrape).Select(match => match.Groups[1].Value).Order(StringComparer.Ordinal));
        Assert.Equal("", await _server.ScrapeAsync("no_such_metric"));
    }

    [Fact]
    public async Task They_can_be_switched_off()
    {
        await using var server = await HandlerServer.StartAsync(null, "--metrics-torchserve-names", "false");
        Assert.All(Family().Matches(await server.ScrapeAsync()), match => Assert.Matches("^(serve|process|dotnet|prometheus_net)_", match.Groups[1].Value));
    }

    [GeneratedRegex("^# TYPE (\\S+) ", RegexOptions.Multiline)]
    private static partial Regex Family();
}
