using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Serve.Tests.EndToEnd;

/// <summary>How the server starts and stops.</summary>
public sealed class LifecycleTests(ITestOutputHelper output)
{
    private static readonly byte[] Boot = File.ReadAllBytes(Path.Combine(Repository.Root, "docs", "samples", "boot.png"));

    [Fact]
    public async Task It_listens_before_its_models_are_ready()
    {
        await using var server = await ServerFixture.StartAsync(new ServerOptions { WaitUntilReady = false }, output);
        var early = await server.PredictAsync("fashion-vit", Boot);
        Assert.Equal(HttpStatusCode.OK, (await server.GetAsync("/livez")).Status);

        // Never 404, and if it is not ready yet, when to come back.
        if (early.Status != HttpStatusCode.OK)
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, early.Status);
            Assert.Matches("^[1-9]", early.Headers["Retry-After"]);
        }

        await server.WaitUntilReadyAsync("fashion-vit");
        Assert.Equal(HttpStatusCode.OK, (await server.PredictAsync("fashion-vit", Boot)).Status);
        await server.ScaleAsync("fashion-vit", 1);
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), ((await server.GetAsync("/readyz")).Status, (await server.GetAsync("/startupz")).Status));
        Signals.Kill((await server.WorkerPidsAsync("fashion-vit")).Single());
        await Eventually.BecomesAsync("it is not ready without its worker", async () => (await server.GetAsync("/readyz")).Status, status => status == HttpStatusCode.ServiceUnavailable);
        Assert.Equal(HttpStatusCode.OK, (await server.GetAsync("/livez")).Status);
    }

    [Fact]
    public async Task SIGTERM_ends_it_with_0_and_leaves_no_worker()
    {
        await using var server = await ServerFixture.StartAsync(output: output);
        var workers = await server.WorkerPidsAsync("fashion-vit");
        Assert.NotEmpty(workers);
        Assert.NotEmpty(Directory.GetFiles(server.RuntimeFolder, "server-*.json"));

        Assert.Equal(0, await server.StopAsync());

        Assert.All(workers, pid => Assert.False(Exists(pid)));
        Assert.Empty(Directory.GetFiles(server.RuntimeFolder, "server-*.json"));
    }

    [Fact]
    public async Task SIGTERM_finishes_what_was_accepted()
    {
        await using var server = await ServerFixture.StartAsync(output: output);
        var requests = Enumerable.Range(0, 200).Select(_ => Task.Run(() => server.PredictAsync("fashion-vit", Boot))).ToList();
        await Task.WhenAny(requests);
        var stopping = server.StopAsync();

        // Each is answered: with labels if it came before the signal, else with a 503 or a closed door.
        foreach (var request in requests)
        {
            try
            {
                var answer = await request;
                Assert.True(answer.Status is HttpStatusCode.OK or HttpStatusCode.ServiceUnavailable, answer.Text);
                if (answer.Status == HttpStatusCode.ServiceUnavailable) Assert.True(answer.Headers.ContainsKey("Retry-After"));
            }
            catch (HttpRequestException e) when (e.InnerException is SocketException or IOException or null)
            {
                // Came when the listener was closed.
            }
        }

        Assert.Equal(0, await stopping);
    }

    [Fact]
    public async Task A_taken_port_is_one_clear_line_and_exit_code_3()
    {
        await using var server = await ServerFixture.StartAsync(new ServerOptions { Models = [] }, output);
        var taken = server.Inference;
        var (code, text) = await Cli.RunAsync("start", "--inference-address", taken, "--management-address", "http://127.0.0.1:0", "--metrics-address", "http://127.0.0.1:0", "--grpc-inference-address", "http://127.0.0.1:0", "--grpc-management-address", "http://127.0.0.1:0",
            "--model-store", server.ModelStore, "--runtime-folder", Path.Combine(server.RuntimeFolder, "other"));
        Assert.Equal(3, code);
        Assert.Equal($"inferenceAddress: cannot listen on {taken}: another program listens there already.", text.Trim());
    }

    private static bool Exists(int pid)
    {
        try
        {
            using var process = Process.GetProcessById(pid);
            return !process.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
