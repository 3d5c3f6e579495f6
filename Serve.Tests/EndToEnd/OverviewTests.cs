using System.Net;
using System.Text.Json;
using Serve.Core.Models;
using Serve.Management.Overview;

namespace Serve.Tests.EndToEnd;

/// <summary>What the console and <c>serve top</c> see of a server.</summary>
public sealed class OverviewTests : IClassFixture<HandlerServer>
{
    private readonly ServerFixture _server;

    public OverviewTests(HandlerServer server, ITestOutputHelper output)
    {
        _server = server.Server;
        _server.ShowLogs(output);
    }

    [Fact]
    public async Task An_overview_has_the_state_of_everything()
    {
        await _server.ServeAsync("seen", "EchoHandler", "batchSize: 4\nautoscale: true", workers: 2);
        await _server.ServeAsync("seen", "EchoHandler", "batchSize: 4", workers: 0, version: "2.0");

        var answer = await _server.ManageAsync(HttpMethod.Get, "/overview");
        Assert.Equal((HttpStatusCode.OK, "application/json"), (answer.Status, answer.Headers["Content-Type"]));
        var overview = JsonSerializer.Deserialize(answer.Body, OverviewJson.Default.OverviewBody)!;

        Assert.Equal(("Healthy", _server.Inference, false), (overview.Health, overview.InferenceAddress, overview.InferenceNeedsToken));
        Assert.InRange(overview.IntervalSeconds, 0.2, 30);
        Assert.Equal("cpu", overview.Devices[0].Device);
        var model = Assert.Single(overview.Models, model => model.Name == "seen");
        Assert.Equal(("1.0", "1.0", "2.0"), (model.DefaultVersion, model.Versions[0].Version, model.Versions[1].Version));
        Assert.Equal((ModelState.Ready, ModelState.Idle), (model.Versions[0].State, model.Versions[1].State));
        var version = model.Versions[0];
        Assert.Equal((true, false), (version.Autoscales, model.Versions[1].Autoscales));
        Assert.Equal((true, 4, 2, 0L), (version.IsDefault, version.BatchSize, version.MinWorkers, version.Restarts));
        Assert.Equal(await _server.WorkerPidsAsync("seen"), version.Workers.Select(worker => worker.Pid!.Value));
        Assert.All(version.Workers, worker => Assert.Equal(WorkerState.Ready, worker.State));
        Assert.Null(version.P50Ms);
        Assert.Equal([1, 2, 4], version.BatchSizes.Select(size => size.Le));
    }

    [Fact]
    public async Task A_stream_tells_of_requests_and_of_a_worker_that_died()
    {
        await _server.ServeAsync("watched", "EchoHandler");
        using var request = new HttpRequestMessage(HttpMethod.Get, _server.Management + "/overview");
        request.Headers.Accept.ParseAdd("text/event-stream");
        using var answer = await _server.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType!.MediaType);
        using var events = new StreamReader(await answer.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
        Assert.Equal(0, (await NextAsync(events)).RequestsPerSecond);

        for (var i = 0; i < 10; i++) await _server.PredictAsync("watched", [1]);
        await _server.PredictAsync("watched", [1], headers: ("x-serve-priority", "9"));
        var busy = await UntilAsync(events, version => version.RequestsPerSecond > 0);
        Assert.True(busy.P50Ms is > 0 && busy.P99Ms >= busy.P50Ms, $"{busy}");
        Assert.Equal(1, busy.MeanBatch);
        Assert.Contains("execute", busy.StagesMs.Keys);
        Assert.True(busy.ClientErrorsPerSecond < busy.RequestsPerSecond);

        var pid = (await _server.WorkerPidsAsync("watched")).Single();
        Signals.Kill(pid);
        var healed = await UntilAsync(events, version => version is { Restarts: 1, Workers: [{ State: WorkerState.Ready }] });
        Assert.Equal((1, "killed (signal 9)"), (healed.Workers.Single().Restarts, healed.LastError!.Message[^17..]));
        Assert.NotEqual(pid, healed.Workers.Single().Pid);
    }

    [Theory]
    [InlineData("GET", "/overview?stream=perhaps", 400)]
    [InlineData("POST", "/overview", 405)]
    public async Task What_is_wrong_is_refused(string method, string path, int status) =>
        Assert.Equal(status, (int)(await _server.ManageAsync(new HttpMethod(method), path)).Status);

    private static async Task<OverviewVersion> UntilAsync(StreamReader events, Func<OverviewVersion, bool> isRight)
    {
        while (true)
        {
            var version = (await NextAsync(events)).Models.Single(model => model.Name == "watched").Versions.Single();
            if (isRight(version)) return version;
        }
    }

    private static async Task<OverviewBody> NextAsync(StreamReader events)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var data = await events.ReadLineAsync(patience.Token);
        Assert.StartsWith("data: ", data, StringComparison.Ordinal);
        Assert.Equal("", await events.ReadLineAsync(patience.Token));
        return JsonSerializer.Deserialize(data![6..], OverviewJson.Default.OverviewBody)!;
    }
}
