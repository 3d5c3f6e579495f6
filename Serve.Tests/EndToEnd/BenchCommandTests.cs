using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace Serve.Tests.EndToEnd;

/// <summary>The load generator against the real server. Figures of a busy machine say nothing: these look at their form.</summary>
public sealed class BenchCommandTests : IClassFixture<ServerFixture>
{
    private static readonly string Boot = Path.Combine(Repository.Root, "docs", "samples", "boot.png");
    private static readonly string[] Short = ["--window", "100ms", "--warm-up", "50ms", "--max-windows", "3"];

    private readonly ServerFixture _server;

    public BenchCommandTests(ServerFixture server, ITestOutputHelper output)
    {
        _server = server;
        server.ShowLogs(output);
    }

    [Fact]
    public async Task Figures_are_printed_with_the_servers_own_beside_them()
    {
        var (code, text) = await RunAsync("bench", "fashion-vit", "--data", Boot, "--concurrency", "1,4", "--slo", "10s");
        Assert.Equal(0, code);
        Assert.Matches(@"Clients +Answers/s +Within SLO/s +p50 ms", text);
        Assert.Matches(@"\n ?4 +[\d.,]+ +[\d.,]+ ", text);
        Assert.Matches(@"Clients +read +queue +transfer", text);
    }

    [Fact]
    public async Task Json_has_every_point_with_stages_batches_and_the_clients_own_cpu()
    {
        var (code, text) = await RunAsync("bench", "fashion-vit/1.0", "--rate", "20:40:20", "--json");
        Assert.Equal(0, code);
        var report = JsonDocument.Parse(text[text.IndexOf('{', StringComparison.Ordinal)..(text.LastIndexOf('}') + 1)]).RootElement;
        Assert.Equal("rate", report.GetProperty("load").GetString());
        Assert.Equal([20, 40], report.GetProperty("points").EnumerateArray().Select(point => point.GetProperty("load").GetDouble()));
        Assert.All(report.GetProperty("points").EnumerateArray(), point =>
        {
            Assert.Empty(point.GetProperty("errors").EnumerateObject());
            Assert.True(point.GetProperty("answers").GetInt64() > 0);
            Assert.True(point.GetProperty("clientCores").GetDouble() >= 0);
            Assert.True(point.GetProperty("server").GetProperty("meanBatch").GetDouble() >= 1);
            Assert.True(point.GetProperty("server").GetProperty("stageMilliseconds").GetProperty("execute").GetDouble() > 0);
        });
    }

    [Fact]
    public async Task The_html_is_one_file_with_its_plots_and_the_csv_a_line_a_load()
    {
        using var folder = new TemporaryFolder();
        var (html, csv) = (Path.Combine(folder.Path, "bench.html"), Path.Combine(folder.Path, "bench.csv"));
        Assert.Equal(0, (await RunAsync("bench", "fashion-vit", "--concurrency", "1", "--output-file", html)).Code);
        var page = await File.ReadAllTextAsync(html, TestContext.Current.CancellationToken);
        Assert.Contains("<svg", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<script", page, StringComparison.Ordinal);
        Assert.DoesNotMatch("(src|href)=", page);

        Assert.Equal(0, (await RunAsync("bench", "fashion-vit", "--concurrency", "1,2", "--output", "csv", "--output-file", csv)).Code);
        Assert.Equal(3, (await File.ReadAllLinesAsync(csv, TestContext.Current.CancellationToken)).Length);
    }

    [Fact]
    public async Task A_bound_that_does_not_hold_ends_with_1()
    {
        var (code, text) = await RunAsync("bench", "fashion-vit", "--concurrency", "1", "--fail-over", "p50=1us");
        Assert.Equal(1, code);
        Assert.Contains("Over p50=1us", text, StringComparison.Ordinal);
        Assert.Equal(0, (await RunAsync("bench", "fashion-vit", "--concurrency", "1", "--fail-over", "p99=1h", "--fail-over", "errors=0%")).Code);
    }

    [Theory]
    [InlineData(1, "Model not found: none", "bench", "none")]
    [InlineData(1, "none does not answer: 404", "bench", "none", "--data", "BOOT")]
    [InlineData(2, "Name a MODEL", "bench")]
    [InlineData(2, "'8:1'", "bench", "fashion-vit", "--concurrency", "8:1")]
    [InlineData(2, "not both", "bench", "fashion-vit", "--concurrency", "1", "--rate", "1")]
    [InlineData(2, "there is no file or folder", "bench", "fashion-vit", "--data", "/no/such/place")]
    [InlineData(2, "--slo: soon", "bench", "fashion-vit", "--slo", "soon")]
    [InlineData(2, "a=3,b=1", "bench", "--mix", "a")]
    [InlineData(4, "does not answer", "bench", "--url", "http://127.0.0.1:1/x", "--data", "BOOT")]
    public async Task What_cannot_be_measured_is_one_sentence(int code, string words, params string[] arguments)
    {
        var (actual, text) = await RunAsync([.. arguments.Select(argument => argument == "BOOT" ? Boot : argument)]);
        Assert.Contains(words, text, StringComparison.Ordinal);
        Assert.Equal(code, actual);
    }

    [Fact]
    public async Task A_mix_tells_its_models_apart_and_a_url_needs_none()
    {
        var (code, text) = await RunAsync("bench", "--mix", "fashion-vit=2,fashion-vit/1.0=1", "--data", Boot, "--concurrency", "3");
        Assert.Equal(0, code);
        Assert.Matches(@"fashion-vit/1\.0 +[\d.,]+", text);
        Assert.Equal(0, (await RunAsync("bench", "--url", _server.Inference + "/predictions/fashion-vit", "--data", Boot, "--concurrency", "1")).Code);
    }

    [Fact]
    public async Task Another_servers_figures_are_not_those_of_the_server_that_is_configured()
    {
        using var folder = new TemporaryFolder();
        var config = folder.Write("serve.yaml", $"metricsAddress: {_server.Metrics}\n");
        string[] command = ["bench", "fashion-vit", "--config", config, "--url", _server.Inference, "--concurrency", "1", .. Short];

        var (code, text) = await Cli.RunAsync([.. command, "--data", Boot]);
        Assert.True(code == 0, text);
        Assert.DoesNotContain("queue", text, StringComparison.Ordinal);

        (code, text) = await Cli.RunAsync([.. command, "--management-address", _server.Management, "--metrics-address", _server.Metrics]);
        Assert.True(code == 0, text);
        Assert.Matches(@"Clients +read +queue +transfer", text);
    }

    [Fact]
    public async Task Who_interrupts_it_before_it_measures_is_not_shown_a_stack_trace()
    {
        if (OperatingSystem.IsWindows()) return;
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "serve"), ["bench", "m", "--management-address", $"http://{silent.LocalEndpoint}"]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        using var asked = await silent.AcceptTcpClientAsync(TestContext.Current.CancellationToken);
        Signals.Interrupt(process.Id);
        var errors = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal((130, "Interrupted."), (process.ExitCode, errors.Trim()));
    }

    [Fact]
    public async Task An_interrupted_load_prints_what_it_has()
    {
        if (OperatingSystem.IsWindows()) return;
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "serve"),
            ["bench", "fashion-vit", "--concurrency", "1,2", "--duration", "1h", "--warm-up", "50ms", "--inference-address", _server.Inference, "--management-address", _server.Management, "--metrics-address", _server.Metrics])
        { RedirectStandardOutput = true })!;
        Assert.Contains("fashion-vit at", await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);

        // Somebody who has seen a few answers.
        await Eventually.BecomesAsync("the load has begun", () => _server.MetricAsync("serve_requests_total{model=\"fashion-vit\",version=\"1.0\",code=\"200\"}"), answers => answers > 5);
        Signals.Interrupt(process.Id);
        var text = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Contains("Interrupted: the last line is incomplete.", text, StringComparison.Ordinal);
        Assert.Equal(0, process.ExitCode);
    }

    private Task<(int Code, string Text)> RunAsync(params string[] arguments) =>
        _server.RunAsync([.. arguments, .. Short, "--metrics-address", _server.Metrics]);
}
