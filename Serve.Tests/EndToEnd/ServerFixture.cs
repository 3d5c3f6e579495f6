using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.RegularExpressions;
using Serve.Management.Http;
using Serve.Management.Rest;

namespace Serve.Tests.EndToEnd;

/// <summary>
/// The built server with real workers, on free ports of the loopback address, with a model store of its own. As a class
/// fixture it serves fashion-vit; a test that needs other models or settings starts one with <see cref="StartAsync"/> and
/// <c>await using</c>. Call <see cref="ShowLogs"/> in the test class's constructor: a failed test then shows the log.
/// </summary>
/// <example><code>
/// public sealed class ChaosTests : IClassFixture&lt;ServerFixture&gt;
/// {
///     public ChaosTests(ServerFixture server, ITestOutputHelper output) => server.ShowLogs(output);
/// }
/// </code></example>
public sealed partial class ServerFixture : IAsyncLifetime
{
    /// <summary>How long a start, a stop or a wait for a log line may take before a test gives up.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly ServerOptions _options;
    private readonly string _folder = Directory.CreateTempSubdirectory("serve-test-").FullName;
    private ServerLog _log = new();
    private ITestOutputHelper? _output;
    private Process? _process;

    /// <summary>As a class fixture: fashion-vit, default settings.</summary>
    public ServerFixture()
        : this(new ServerOptions())
    {
    }

    private ServerFixture(ServerOptions options)
    {
        _options = options;
        Http = new HttpClient(new SocketsHttpHandler { UseProxy = false, MaxConnectionsPerServer = 10_000, SslOptions = Trust(options.Authority) }) { Timeout = Patience };
    }

    /// <summary>Starts a server of one's own.</summary>
    /// <param name="options">Models and settings.</param>
    /// <param name="output">Where to show its log; null: nowhere.</param>
    public static async Task<ServerFixture> StartAsync(ServerOptions? options = null, ITestOutputHelper? output = null)
    {
        var server = new ServerFixture(options ?? new ServerOptions());
        if (output is not null) server.ShowLogs(output);
        try
        {
            await server.InitializeAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public HttpClient Http { get; }

    /// <summary>The server's process id.</summary>
    public int Pid => Running.Id;

    /// <summary>The model store: copy models into it before registering them.</summary>
    public string ModelStore => Path.Combine(_folder, "model-store");

    /// <summary>The folder with the server's sockets and state.</summary>
    public string RuntimeFolder => Path.Combine(_folder, "run");

    public string Inference { get; private set; } = "";

    public string Management { get; private set; } = "";

    public string Metrics { get; private set; } = "";

    public string GrpcInference { get; private set; } = "";

    public string GrpcManagement { get; private set; } = "";

    /// <summary>Everything the server has logged so far.</summary>
    public IReadOnlyList<string> Log => _log.Lines;

    private Process Running => _process ?? throw new InvalidOperationException("The server has not been started.");

    /// <summary>TLS that trusts an authority instead of the system's.</summary>
    public static SslClientAuthenticationOptions Trust(X509Certificate2? authority)
    {
        var options = new SslClientAuthenticationOptions();
        if (authority is not null) options.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, CustomTrustStore = { authority } };
        return options;
    }

    /// <summary>From now on log lines go to this test's output too, beginning with those already there.</summary>
    public void ShowLogs(ITestOutputHelper output)
    {
        _output = output;
        _log.ShowIn(output);
    }

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        Directory.CreateDirectory(ModelStore);
        foreach (var model in _options.Models) CopyModel(model);
        await StartProcessAsync();
        if (_options.WaitUntilReady) foreach (var model in _options.Models) await WaitUntilReadyAsync(model);
    }

    /// <summary>Kills the server with SIGKILL and starts another over the same folders, on other ports. The log begins anew.</summary>
    /// <param name="meanwhile">What happens between the two.</param>
    public async Task KillAndRestartAsync(Action? meanwhile = null)
    {
        Signals.Kill(Pid);
        await WaitForExitAsync();
        meanwhile?.Invoke();
        await RestartAsync();
    }

    /// <summary>Starts another server over the same folders after the first has ended. The log begins anew.</summary>
    public async Task RestartAsync()
    {
        Running.Dispose();
        _log = new ServerLog();
        if (_output is not null) _log.ShowIn(_output);
        await StartProcessAsync();
    }

    private async Task StartProcessAsync()
    {
        _process = StartProcess();
        var line = await _log.WaitForAsync(line => Listening().IsMatch(line), Patience);
        var addresses = Listening().Match(line);
        (Inference, Management, Metrics) = (addresses.Groups[1].Value, addresses.Groups[2].Value, addresses.Groups[3].Value);
        (GrpcInference, GrpcManagement) = (addresses.Groups[4].Value, addresses.Groups[5].Value);
    }

    /// <summary>Stops the server, kills what is left of it, removes its folder.</summary>
    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        if (_process is { } process)
        {
            IReadOnlyList<int> workers = OperatingSystem.IsLinux() && !process.HasExited ? Processes.ChildrenOf(process.Id) : [];
            if (!process.HasExited)
            {
                Signals.Terminate(process.Id);
                using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
                try
                {
                    await process.WaitForExitAsync(patience.Token);
                }
                catch (OperationCanceledException)
                {
                    process.Kill(entireProcessTree: true);
                    await process.WaitForExitAsync();
                }
            }

            await Eventually.HoldsAsync("no worker outlives its server", () => !workers.Any(Processes.IsAlive));
            if (process.ExitCode == 0) AssertNothingIsLeft();
            process.Dispose();
        }

        _log.Close();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Asks it to stop with SIGTERM and waits for its end.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> StopAsync()
    {
        Signals.Terminate(Pid);
        return await WaitForExitAsync();
    }

    /// <summary>Waits until it has ended.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> WaitForExitAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        await Running.WaitForExitAsync(patience.Token);
        return Running.ExitCode;
    }

    /// <summary>Waits for a line of the log, past or future.</summary>
    public Task<string> WaitForLogAsync(Func<string, bool> matches) => _log.WaitForAsync(matches, Patience);

    /// <summary>Waits until a model's default version is ready.</summary>
    public Task WaitUntilReadyAsync(string model) => WaitForLogAsync(line => line.Contains($"{model}/", StringComparison.Ordinal) && line.Contains("-> Ready", StringComparison.Ordinal));

    /// <summary>Copies a model of the project's store, or a folder by its path, into this server's store.</summary>
    /// <returns>The name to register.</returns>
    public string CopyModel(string nameOrFolder, string? asName = null)
    {
        var source = Path.IsPathRooted(nameOrFolder) ? nameOrFolder : Path.Combine(Repository.Root, "model-store", nameOrFolder);
        var name = asName ?? Path.GetFileName(source);
        foreach (var file in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(ModelStore, name, Path.GetRelativePath(source, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target, overwrite: true);
        }

        return name;
    }

    /// <summary>One request to a model. The caller looks at the status.</summary>
    public async Task<Answer> PredictAsync(string model, byte[] body, string? version = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{Inference}/predictions/{model}{(version is null ? "" : "/" + version)}") { Content = new ByteArrayContent(body) };
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        return await SendAsync(request);
    }

    /// <summary>Any request; the address may be relative to the inference listener.</summary>
    public async Task<Answer> SendAsync(HttpRequestMessage request)
    {
        if (request.RequestUri is { IsAbsoluteUri: false } relative) request.RequestUri = new Uri(Inference + relative);
        using var response = await Http.SendAsync(request);
        var headers = response.Headers.Concat(response.Content.Headers).ToDictionary(header => header.Key, header => string.Join(", ", header.Value), StringComparer.OrdinalIgnoreCase);
        return new Answer(response.StatusCode, await response.Content.ReadAsByteArrayAsync(), headers);
    }

    /// <summary>A GET of the inference listener.</summary>
    public Task<Answer> GetAsync(string path) => SendAsync(HttpMethod.Get, Inference + path);

    /// <summary>A management request.</summary>
    public Task<Answer> ManageAsync(HttpMethod method, string path, HttpContent? content = null) => SendAsync(method, Management + path, content);

    /// <summary>Sets the number of workers and waits until they are there.</summary>
    public async Task ScaleAsync(string model, int min, int? max = null)
    {
        var answer = await ManageAsync(HttpMethod.Put, $"/models/{model}?min_worker={min}&max_worker={max ?? min}&synchronous=true");
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
    }

    /// <summary>A model's default version as describe has it.</summary>
    public async Task<VersionBody> DescribeAsync(string model)
    {
        var answer = await ManageAsync(HttpMethod.Get, $"/models/{model}");
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        return JsonSerializer.Deserialize(answer.Body, ManagementJson.Default.ListVersionBody)!.Single();
    }

    /// <summary>Process ids of a model's ready workers.</summary>
    public async Task<IReadOnlyList<int>> WorkerPidsAsync(string model) =>
        [.. (await DescribeAsync(model)).Workers.Where(worker => worker is { Status: "READY", Pid: not null }).Select(worker => worker.Pid!.Value)];

    /// <summary>A scrape of the metrics, or of some of them.</summary>
    public async Task<string> ScrapeAsync(params string[] names) =>
        (await SendAsync(HttpMethod.Get, $"{Metrics}/metrics?{string.Join('&', names.Select(name => $"name[]={name}"))}")).Text;

    /// <summary>The value of one series, for example <c>serve_requests_total{model="m",version="1.0",code="200"}</c>; 0 if there is none.</summary>
    public async Task<double> MetricAsync(string series)
    {
        var line = (await ScrapeAsync()).Split('\n').FirstOrDefault(line => line.StartsWith(series + " ", StringComparison.Ordinal));
        return line is null ? 0 : double.Parse(line[(series.Length + 1)..], System.Globalization.CultureInfo.InvariantCulture);
    }

    private Task<Answer> SendAsync(HttpMethod method, string url, HttpContent? content = null) => SendAsync(new HttpRequestMessage(method, url) { Content = content });

    private void AssertNothingIsLeft()
    {
        if (!Directory.Exists(RuntimeFolder)) return;
        var left = Directory.GetFileSystemEntries(RuntimeFolder).Select(Path.GetFileName).Where(name => name!.StartsWith("worker-", StringComparison.Ordinal) || name.StartsWith("unpacked-", StringComparison.Ordinal));
        Assert.Empty(left);
    }

    private Process StartProcess()
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "serve.exe" : "serve"))
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = _folder,
        };
        (string Flag, string Value)[] defaults =
        [
            ("--runtime-folder", RuntimeFolder), ("--model-store", ModelStore),
            ("--inference-address", "http://127.0.0.1:0"), ("--management-address", "http://127.0.0.1:0"), ("--metrics-address", "http://127.0.0.1:0"),
            ("--grpc-inference-address", "http://127.0.0.1:0"), ("--grpc-management-address", "http://127.0.0.1:0"),
        ];
        var chosen = defaults.Where(flag => !_options.Flags.Contains(flag.Flag) && !_options.FlagsFromConfiguration.Contains(flag.Flag)).SelectMany(flag => (string[])[flag.Flag, flag.Value]);
        foreach (var argument in (string[])["start", .. chosen, .. _options.Flags])
        {
            start.ArgumentList.Add(argument);
        }

        foreach (var (name, value) in _options.Environment) start.Environment[name] = value;
        var process = Process.Start(start)!;
        var log = _log;
        process.OutputDataReceived += (_, line) => log.Add(line.Data);
        process.ErrorDataReceived += (_, line) => log.Add(line.Data);
        process.Exited += (_, _) => log.Close();
        process.EnableRaisingEvents = true;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    [GeneratedRegex(@"Listening: inference (\S+), management (\S+), metrics (\S+), gRPC inference (\S+), gRPC management ([^\s""]+)")]
    private static partial Regex Listening();
}

/// <summary>What a test's server is started with.</summary>
public sealed record ServerOptions
{
    /// <summary>Models of the project's store, or folders, that its store begins with.</summary>
    public IReadOnlyList<string> Models { get; init; } = ["fashion-vit"];

    /// <summary>More flags of <c>serve start</c>.</summary>
    public IReadOnlyList<string> Flags { get; init; } = [];

    /// <summary>Flags that the fixture does not give as it would, because a configuration among <see cref="Flags"/> says it.</summary>
    public IReadOnlyList<string> FlagsFromConfiguration { get; init; } = [];

    /// <summary>More environment variables.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>Whom its client trusts, where it speaks TLS.</summary>
    public X509Certificate2? Authority { get; init; }

    /// <summary>Whether the start ends when all models are ready, and not already when the listeners are.</summary>
    public bool WaitUntilReady { get; init; } = true;
}

/// <summary>An HTTP answer, read to its end.</summary>
public sealed record Answer(HttpStatusCode Status, byte[] Body, IReadOnlyDictionary<string, string> Headers)
{
    public string Text => System.Text.Encoding.UTF8.GetString(Body);

    public JsonElement Json => JsonDocument.Parse(Body).RootElement;

    /// <summary>The body of an error.</summary>
    public ErrorBody Error => JsonSerializer.Deserialize(Body, HttpJson.Default.ErrorBody)!;
}
