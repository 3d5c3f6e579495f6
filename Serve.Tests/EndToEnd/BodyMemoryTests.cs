using System.Net;

namespace Serve.Tests.EndToEnd;

/// <summary>Large bodies, which workers read in the frontend's memory: nobody gets another's, and all of it comes back.</summary>
public sealed class BodyMemoryTests(ITestOutputHelper output)
{
    private const int Bytes = 100_000;

    [Fact]
    public async Task Workers_read_large_bodies_in_the_frontends_memory_and_when_they_die_nothing_is_lost_and_all_comes_back()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "This system has no memfd.");
        await using var server = await HandlerServer.StartAsync(output, "--body-memory", "4MiB");
        await server.ServeAsync("echo", "EchoHandler", "batchSize: 8\nmaxQueueSize: 1000", workers: 2);
        foreach (var pid in await server.WorkerPidsAsync("echo")) Assert.Contains("serve-bodies", await MapsAsync(pid), StringComparison.Ordinal);

        await using (var clients = new EchoClients(server, "echo", count: 16, bodyBytes: Bytes))
        {
            await clients.AnswerAsync(50);
            await Eventually.BecomesAsync("bodies are there", () => InUseAsync(server), static bytes => bytes >= Bytes);
            for (var kills = 0; kills < 3; kills++)
            {
                var before = await server.WorkerPidsAsync("echo");
                Signals.Kill(before[0]);
                await clients.AnswerAsync(100);
                await Eventually.BecomesAsync("another worker", () => server.WorkerPidsAsync("echo"), now => now.Count == 2 && !now.Contains(before[0]));
            }

            await clients.AnswerAsync(100);
            await clients.StopAsync();
        }

        await Eventually.BecomesAsync("no body is left", () => InUseAsync(server), static bytes => bytes == 0);
    }

    [Fact]
    public async Task A_body_at_a_stopped_worker_stays_when_its_client_leaves_until_the_worker_goes_on()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "This system has no memfd.");
        await using var server = await HandlerServer.StartAsync(output, "--heartbeat-timeout", "60s");
        await server.ServeAsync("echo", "EchoHandler");
        var pid = (await server.WorkerPidsAsync("echo")).Single();
        Signals.Stop(pid);
        using (var client = new HttpClient())
        using (var leaves = new CancellationTokenSource())
        {
            var left = client.PostAsync($"{server.Inference}/predictions/echo", new ByteArrayContent(new byte[Bytes]), leaves.Token);
            await Eventually.BecomesAsync("the body is there", () => InUseAsync(server), static bytes => bytes > 0);
            await leaves.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
        }

        // The worker may read it yet.
        Assert.InRange(await InUseAsync(server), Bytes, 2 * Bytes);
        Signals.Continue(pid);
        await Eventually.BecomesAsync("no body is left", () => InUseAsync(server), static bytes => bytes == 0);
    }

    [Fact]
    public async Task Without_that_memory_they_go_through_the_sockets()
    {
        await using var server = await HandlerServer.StartAsync(output, "--body-memory", "0");
        await server.ServeAsync("echo", "EchoHandler");
        Assert.DoesNotContain("serve-bodies", await MapsAsync((await server.WorkerPidsAsync("echo")).Single()), StringComparison.Ordinal);

        var body = new byte[1 << 20];
        new Random(1).NextBytes(body);
        var answer = await server.PredictAsync("echo", body);
        Assert.Equal(HttpStatusCode.OK, answer.Status);
        Assert.True(answer.Body.AsSpan().SequenceEqual(body));
    }

    private static Task<double> InUseAsync(ServerFixture server) => server.MetricAsync("serve_body_memory_bytes{model=\"echo\",version=\"1.0\"}");

    private static Task<string> MapsAsync(int pid) => File.ReadAllTextAsync($"/proc/{pid}/maps", TestContext.Current.CancellationToken);
}
