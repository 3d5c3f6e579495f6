using System.Net;

namespace Serve.Tests.EndToEnd;

/// <summary>The server is killed, or told to stop while it works.</summary>
public sealed class ServerDeathTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Killing_the_server_leaves_no_worker_running_or_stopped()
    {
        await using var server = await HandlerServer.StartAsync(output);
        await server.ServeAsync("two", "EchoHandler", workers: 2);
        await server.ServeAsync("stuck", "StuckHandler");
        var stuck = server.PredictAsync("stuck", "stuck"u8.ToArray());
        await server.WaitForLogAsync(line => line.Contains("Stuck for ever.", StringComparison.Ordinal));
        var workers = Processes.ChildrenOf(server.Pid);
        Assert.Equal(3, workers.Count);
        Signals.Stop((await server.WorkerPidsAsync("two"))[0]);

        Signals.Kill(server.Pid);

        await Eventually.HoldsAsync("no worker is alive", () => !workers.Any(Processes.IsAlive));
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => stuck);
    }

    [Fact]
    public async Task SIGTERM_answers_what_was_accepted_and_refuses_what_comes()
    {
        using var gates = new Gates();
        await using var server = await HandlerServer.StartAsync(output);
        var gate = await ServeGatedAsync(server, gates);
        var accepted = Enumerable.Range(0, 5).Select(i => server.PredictAsync("gated", [(byte)i])).ToList();
        await gate.BatchAsync();
        await Eventually.BecomesAsync("all wait", async () => (await server.DescribeAsync("gated")).JobQueueStatus.PendingRequests, waiting => waiting == 3);

        var stopped = server.StopAsync();
        await server.WaitForLogAsync(line => line.Contains("Stopping: new requests are refused", StringComparison.Ordinal));
        var refused = await server.PredictAsync("gated", [9]);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.Status);
        Assert.Contains("The server is stopping", refused.Error.Message, StringComparison.Ordinal);
        Assert.True(refused.Headers.ContainsKey("Retry-After"));
        Assert.Equal(HttpStatusCode.InternalServerError, (await server.GetAsync("/ping")).Status);

        gate.Open();
        var open = gate.StayOpenAsync();
        var answers = await Task.WhenAll(accepted);
        for (var i = 0; i < answers.Length; i++) Assert.Equal((HttpStatusCode.OK, (byte)i), (answers[i].Status, answers[i].Body.Single()));
        Assert.Equal(0, await stopped);
        await open;
        Assert.Empty(Directory.GetFileSystemEntries(server.RuntimeFolder));
    }

    [Fact]
    public async Task A_drain_that_takes_too_long_ends_with_an_error_for_those_that_wait()
    {
        using var gates = new Gates();
        await using var server = await HandlerServer.StartAsync(output, "--drain-timeout", "500ms");
        var gate = await ServeGatedAsync(server, gates);
        var hopeless = Enumerable.Range(0, 3).Select(i => server.PredictAsync("gated", [(byte)i])).ToList();
        await gate.BatchAsync();
        await Eventually.BecomesAsync("one waits", async () => (await server.DescribeAsync("gated")).JobQueueStatus.PendingRequests, waiting => waiting == 1);

        Assert.Equal(0, await server.StopAsync());

        Assert.All(await Task.WhenAll(hopeless), answer => Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.Status));
        await server.WaitForLogAsync(line => line.Contains("3 requests were not finished within 0.5 s (drainTimeout)", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_second_signal_ends_it_at_once()
    {
        using var gates = new Gates();
        await using var server = await HandlerServer.StartAsync(output);
        var gate = await ServeGatedAsync(server, gates);
        var running = server.PredictAsync("gated", [1]);
        await gate.BatchAsync();
        var workers = Processes.ChildrenOf(server.Pid);

        Signals.Terminate(server.Pid);
        await server.WaitForLogAsync(line => line.Contains("Stopping: ", StringComparison.Ordinal));
        Signals.Terminate(server.Pid);

        Assert.Equal(130, await server.WaitForExitAsync());
        await Eventually.HoldsAsync("no worker is alive", () => !workers.Any(Processes.IsAlive));
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => running);
    }

    [Fact]
    public async Task Interrupting_the_whole_terminal_drains_as_well()
    {
        // Ctrl-C reaches the workers too: they must not leave with requests that the server wants to finish.
        using var gates = new Gates();
        await using var server = await HandlerServer.StartAsync(output);
        var gate = await ServeGatedAsync(server, gates);
        var accepted = server.PredictAsync("gated", [7]);
        await gate.BatchAsync();

        foreach (var worker in Processes.ChildrenOf(server.Pid)) Signals.Interrupt(worker);
        Signals.Interrupt(server.Pid);
        await server.WaitForLogAsync(line => line.Contains("Stopping: ", StringComparison.Ordinal));
        gate.Open();

        Assert.Equal([7], (await accepted).Body);
        Assert.Equal(0, await server.WaitForExitAsync());
        Assert.DoesNotContain(server.Log, line => line.Contains(" ended: ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_server_whose_runtime_folder_was_tidied_away_replaces_its_workers_all_the_same()
    {
        await using var server = await HandlerServer.StartAsync(output);
        await server.ServeAsync("tidy", "EchoHandler");
        var before = (await server.WorkerPidsAsync("tidy")).Single();
        Directory.Delete(server.RuntimeFolder, recursive: true);

        Signals.Kill(before);

        Assert.Equal("here", (await server.PredictAsync("tidy", "here"u8.ToArray())).Text);
        Assert.NotEqual(before, (await server.WorkerPidsAsync("tidy")).Single());
        Assert.Equal(0, await server.StopAsync());
    }

    private static async Task<Gates.Gate> ServeGatedAsync(ServerFixture server, Gates gates)
    {
        HandlerModels.Write(server.ModelStore, "gated", "GatedHandler", gates.Setting);
        var registered = server.RegisterAsync("gated");
        var gate = await gates.NextAsync();
        Assert.Equal(HttpStatusCode.OK, (await registered).Status);
        return gate;
    }
}
