using System.Net.Http.Headers;
using Serve.Core.Configuration.Tokens;
using Serve.Tests.EndToEnd;

namespace Serve.Tests.Monitoring;

/// <summary>
/// A server in which much happens, and a Prometheus that scrapes it. <c>boots</c> is answered, partly from its response
/// cache; <c>crowded</c> refuses; <c>stuck</c> was late once; workers of <c>poisoned</c> die again and again. It has a certificate and a
/// token that end.
/// </summary>
public sealed class MonitoredServer : IAsyncLifetime
{
    private readonly TemporaryFolder _folder = new();
    private readonly TestCertificates _certificates = new("Serve's tests");
    private readonly CancellationTokenSource _end = new();
    private Task _load = Task.CompletedTask;
    private ServerFixture? _server;

    internal ServerFixture Server => _server!;

    /// <summary>Null where it is not installed.</summary>
    internal PrometheusProcess? Prometheus { get; private set; }

    public async ValueTask InitializeAsync()
    {
        var token = AccessToken.NewText();
        var tokens = _folder.Write("tokens", $"{token}\n{AccessToken.NewText()} expires={DateTime.UtcNow.AddDays(3):yyyy-MM-dd}\n");
        using var certificate = _certificates.ForServer(DateTimeOffset.UtcNow.AddDays(20));
        var (chain, key) = _certificates.Write("server", certificate);
        _server = await HandlerServer.StartAsync(null, "--management-tokens", $"file:{tokens}", "--grpc-management-address", "https://127.0.0.1:0", "--certificate-file", chain, "--private-key-file", key);
        Server.Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        Prometheus = await PrometheusProcess.StartAsync(Server.Metrics);
        if (Prometheus is null) return;

        File.AppendAllText(Path.Combine(Server.ModelStore, Server.CopyModel("fashion-vit", "boots"), "1.0", "model-config.yaml"), "\nlatencyTarget: 2000\nresponseCache:\n  enabled: true\n  size: 1KiB\n");
        Assert.Equal(System.Net.HttpStatusCode.OK, (await Server.RegisterAsync("boots/1.0")).Status);
        await Server.ServeAsync("crowded", "SleeperHandler", "batchSize: 2\nmaxQueueSize: 4\nlatencyTarget: 1000\nhandlerOptions:\n  batchMilliseconds: 40");
        await Server.ServeAsync("poisoned", "PoisonHandler", "maxRetries: 50");
        await Server.ServeAsync("stuck", "StuckHandler", "responseTimeout: 1");
        await Eventually.BecomesAsync("a request was late at a worker, and not before", LateAtWorkerAsync, late => late > 0);

        // What has died before the first scrape is no increase.
        await Eventually.BecomesAsync("Prometheus knows of no deaths", () => Prometheus.QueryAsync("""sum(serve_worker_deaths_total{model="poisoned"}) == 0"""), static deaths => deaths.Count == 1);
        _load = Task.WhenAll(Task.Run(BootsAsync), Task.Run(CrowdAsync), Task.Run(PoisonAsync));
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _load;
        if (Prometheus is not null) await Prometheus.DisposeAsync();
        if (_server is not null) await _server.DisposeAsync();
        _end.Dispose();
        _certificates.Dispose();
        _folder.Dispose();
    }

    // On a busy machine it may have been late before it came there.
    private async Task<double> LateAtWorkerAsync()
    {
        await Server.PredictAsync("stuck", "stuck"u8.ToArray(), headers: ("x-serve-timeout-ms", "300"));
        return await Server.MetricAsync("serve_expired_total{model=\"stuck\",version=\"1.0\",where=\"running\"}");
    }

    // Headers belong to the question: every third is a new one.
    private async Task BootsAsync()
    {
        var picture = await File.ReadAllBytesAsync(Path.Combine(EndToEnd.Repository.Root, "docs", "samples", "boot.png"));
        await EachAsync(TimeSpan.FromMilliseconds(50), i => Enumerable.Range(0, 4).Select(j => Server.PredictAsync("boots", picture, headers: ("x-question", $"{i / 3}-{j}"))));
    }

    private Task CrowdAsync() => EachAsync(TimeSpan.FromMilliseconds(100), i => Enumerable.Range(0, 20).Select(j => Server.PredictAsync("crowded", "x"u8.ToArray(), headers: ("x-serve-timeout-ms", j % 2 == 0 ? "45" : "1000"))));

    private Task PoisonAsync() => EachAsync(TimeSpan.FromMilliseconds(500), i => [Server.PredictAsync("poisoned", i < 4 ? "die"u8.ToArray() : "live"u8.ToArray(), headers: ("x-serve-timeout-ms", "5000"))]);

    private async Task EachAsync(TimeSpan period, Func<int, IEnumerable<Task>> requests)
    {
        using var timer = new PeriodicTimer(period);
        try
        {
            for (var i = 0; await timer.WaitForNextTickAsync(_end.Token); i++) await Task.WhenAll(requests(i));
        }
        catch (OperationCanceledException)
        {
            // The end.
        }
    }
}
