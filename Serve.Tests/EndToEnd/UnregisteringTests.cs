using System.Net;

namespace Serve.Tests.EndToEnd;

/// <summary>What happens to a version that was unregistered and still has requests.</summary>
public sealed class UnregisteringTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Its_series_go_on_when_it_is_registered_again_while_it_finishes()
    {
        using var gates = new Gates();
        await using var server = await HandlerServer.StartAsync(output);
        var (first, slow) = await ServeAsync(server, gates, "again");
        var unregistered = UnregisterAsync(server, "again");
        await server.WaitForLogAsync(static line => line.Contains("unregistered again version 1.0", StringComparison.Ordinal));

        var registered = server.RegisterAsync("again");
        var second = await gates.NextAsync();
        Assert.Equal(HttpStatusCode.OK, (await registered).Status);
        Assert.Equal(1, await server.MetricAsync("""serve_model_state{model="again",version="1.0",state="ready"}"""));
        first.Open();
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), ((await slow).Status, (await unregistered).Status));

        var quick = server.PredictAsync("again", [8]);
        Assert.Equal(1, await second.BatchAsync());
        second.Open();
        Assert.Equal(HttpStatusCode.OK, (await quick).Status);
        await Eventually.BecomesAsync("both are counted", () => server.MetricAsync("""serve_requests_total{model="again",version="1.0",code="200"}"""), static count => count == 2);
        Assert.Equal(1, await server.MetricAsync("""serve_model_state{model="again",version="1.0",state="ready"}"""));

        // The last one takes them away.
        Assert.Equal(HttpStatusCode.OK, (await UnregisterAsync(server, "again")).Status);
        Assert.DoesNotContain("again", await server.ScrapeAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Its_requests_have_their_time_also_when_the_server_stops()
    {
        using var gates = new Gates();

        // More than the two seconds that connections stay open anyway.
        await using var server = await HandlerServer.StartAsync(output, "--drain-timeout", "4s");
        var (_, slow) = await ServeAsync(server, gates, "going");
        var unregistered = UnregisterAsync(server, "going");
        await server.WaitForLogAsync(static line => line.Contains("unregistered going version 1.0", StringComparison.Ordinal));

        // It is answered, and the connection is not closed before.
        var stopped = server.StopAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await slow).Status);
        Assert.Equal((HttpStatusCode.OK, 0), ((await unregistered).Status, await stopped));
    }

    // A model that serves, and a request that its worker executes.
    private static async Task<(Gates.Gate Gate, Task<Answer> Slow)> ServeAsync(ServerFixture server, Gates gates, string model)
    {
        HandlerModels.Write(server.ModelStore, model, "GatedHandler", gates.Setting);
        var registered = server.RegisterAsync(model);
        var gate = await gates.NextAsync();
        Assert.Equal(HttpStatusCode.OK, (await registered).Status);
        var slow = server.PredictAsync(model, [7]);
        Assert.Equal(1, await gate.BatchAsync());
        return (gate, slow);
    }

    private static Task<Answer> UnregisterAsync(ServerFixture server, string model) => server.ManageAsync(HttpMethod.Delete, $"/models/{model}");
}
