using System.Net;
using Grpc.Core;
using Grpc.Net.Client;
using Serve.Management.Grpc;

namespace Serve.Tests.EndToEnd;

/// <summary>Managing while workers load or are busy, and with the API switched off.</summary>
public sealed class ManagementModeTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Asynchronous_calls_are_answered_before_the_workers_are_there_and_synchronous_ones_after()
    {
        using var gates = new Gates();
        await using var server = await HandlerServer.StartAsync(output);
        HandlerModels.Write(server.ModelStore, "slow", "SlowToLoadHandler", gates.Setting);

        var registered = await server.ManageAsync(HttpMethod.Post, "/models?url=slow/1.0&initial_workers=1&synchronous=false");
        Assert.Equal((HttpStatusCode.Accepted, "Processing worker updates..."), (registered.Status, StatusOf(registered)));
        using (var first = await gates.NextAsync())
        {
            // It loads, and does not pretend otherwise.
            Assert.Equal(["LOADING"], await WorkersAsync(server));
            var refused = await server.PredictAsync("slow", [1]);
            Assert.Equal((HttpStatusCode.ServiceUnavailable, "Model \"slow\" Version 1.0 is loading; no worker is ready yet."), (refused.Status, refused.Error.Message));
            first.Open();
            await server.WaitUntilReadyAsync("slow");
        }

        var scaled = await server.ManageAsync(HttpMethod.Put, "/models/slow?min_worker=2");
        Assert.Equal((HttpStatusCode.Accepted, "Processing worker updates..."), (scaled.Status, StatusOf(scaled)));
        using var second = await gates.NextAsync();
        Assert.Equal(["READY", "LOADING"], await WorkersAsync(server));

        // A synchronous call for the same number waits for the worker that loads.
        var waiting = server.ManageAsync(HttpMethod.Put, "/models/slow?min_worker=2&synchronous=true");
        Assert.Equal(["READY", "LOADING"], await WorkersAsync(server));
        Assert.False(waiting.IsCompleted);
        second.Open();
        var waited = await waiting;
        Assert.Equal((HttpStatusCode.OK, "Workers scaled to 2 for model: slow"), (waited.Status, StatusOf(waited)));
        Assert.Equal(["READY", "READY"], await WorkersAsync(server));
    }

    [Fact]
    public async Task Unregistering_that_takes_too_long_is_a_408()
    {
        using var gates = new Gates();
        await using var server = await HandlerServer.StartAsync(output, "--unregister-timeout", "200ms");
        var serving = server.ServeAsync("gated", "GatedHandler", gates.Setting);
        using var gate = await gates.NextAsync();
        await serving;
        var held = server.PredictAsync("gated", [1]);
        Assert.Equal(1, await gate.BatchAsync());

        var late = await server.ManageAsync(HttpMethod.Delete, "/models/gated");
        Assert.Equal((HttpStatusCode.RequestTimeout, "RequestTimeoutException", "Timed out while cleaning resources: gated"), (late.Status, late.Error.Type, late.Error.Message));
        gate.Open();
        Assert.Equal(HttpStatusCode.OK, (await held).Status);
    }

    [Fact]
    public async Task Registering_and_unregistering_can_be_switched_off()
    {
        await using var server = await ServerFixture.StartAsync(new ServerOptions { Flags = ["--enable-model-api", "false"] }, output);
        foreach (var (verb, path) in ((HttpMethod, string)[])[(HttpMethod.Post, "/models?url=x"), (HttpMethod.Delete, "/models/fashion-vit"), (HttpMethod.Delete, "/models/fashion-vit/1.0")])
        {
            var refused = await server.ManageAsync(verb, path);
            Assert.Equal((HttpStatusCode.MethodNotAllowed, "MethodNotAllowedException", "Requested method is not allowed, please refer to API document."), (refused.Status, refused.Error.Type, refused.Error.Message));
        }

        using var channel = GrpcChannel.ForAddress(server.GrpcManagement);
        var call = await Assert.ThrowsAsync<RpcException>(async () => await new ManagementAPIsService.ManagementAPIsServiceClient(channel).RegisterModelAsync(new() { Url = "x" }, cancellationToken: TestContext.Current.CancellationToken));
        Assert.Equal(StatusCode.PermissionDenied, call.StatusCode);

        Assert.Equal(HttpStatusCode.OK, (await server.ManageAsync(HttpMethod.Get, "/models")).Status);
        Assert.Equal(HttpStatusCode.OK, (await server.ManageAsync(HttpMethod.Put, "/models/fashion-vit?min_worker=1&synchronous=true")).Status);
        Assert.Equal(HttpStatusCode.OK, (await server.ManageAsync(HttpMethod.Put, "/models/fashion-vit/1.0/set-default")).Status);
    }

    private static async Task<IEnumerable<string>> WorkersAsync(ServerFixture server) => (await server.DescribeAsync("slow")).Workers.Select(worker => worker.Status);

    private static string? StatusOf(Answer answer) => answer.Json.GetProperty("status").GetString();
}
