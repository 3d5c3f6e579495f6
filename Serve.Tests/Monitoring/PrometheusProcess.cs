using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Serve.Tests.Monitoring;

/// <summary>A running Prometheus (Debian's package) with the project's rules, which scrapes a server every second.</summary>
internal sealed partial class PrometheusProcess : IAsyncDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Process _process;
    private readonly List<string> _log = [];
    private readonly TaskCompletionSource<Uri> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false });
    private string? _address;

    private PrometheusProcess(string program, string target)
    {
        Target = target;
        var configuration = _folder.Write("prometheus.yml", $"""
            global:
              scrape_interval: 1s
              scrape_timeout: 1s
              evaluation_interval: 1s
            rule_files: [{string.Join(", ", PrometheusRules.Files)}]
            scrape_configs:
              - job_name: serve
                static_configs:
                  - targets: ["{target}"]
            """);
        _process = Process.Start(new ProcessStartInfo(program, [$"--config.file={configuration}", $"--storage.tsdb.path={_folder["data"]}", "--web.listen-address=127.0.0.1:0"]) { RedirectStandardError = true })!;
        _process.ErrorDataReceived += (_, line) => Read(line.Data);
        _process.BeginErrorReadLine();
    }

    /// <summary>What it scrapes: the label <c>instance</c>.</summary>
    public string Target { get; }

    /// <summary>Starts one; null where it is not installed.</summary>
    /// <param name="metrics">The address of a server's metrics listener.</param>
    public static async Task<PrometheusProcess?> StartAsync(string metrics)
    {
        PrometheusProcess prometheus;
        try
        {
            prometheus = new PrometheusProcess("prometheus", new Uri(metrics).Authority);
        }
        catch (Win32Exception)
        {
            return null;
        }

        prometheus._http.BaseAddress = await prometheus._ready.Task.WaitAsync(TimeSpan.FromSeconds(60));
        return prometheus;
    }

    /// <summary>The values of an expression now.</summary>
    /// <exception cref="InvalidOperationException">Prometheus has something against it.</exception>
    public async Task<IReadOnlyList<JsonElement>> QueryAsync(string expression)
    {
        using var answer = await _http.PostAsync("api/v1/query", new FormUrlEncodedContent([new("query", expression)]), TestContext.Current.CancellationToken);
        var body = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement;
        if (body.GetProperty("status").GetString() != "success") throw new InvalidOperationException($"{expression}: {body.GetProperty("error")}");
        var result = body.GetProperty("data").GetProperty("result");
        return body.GetProperty("data").GetProperty("resultType").GetString() == "vector" ? [.. result.EnumerateArray()] : [result];
    }

    /// <summary>Whether an expression has a value other than 0 now.</summary>
    public async Task<bool> IsAsync(string expression) => (await QueryAsync(expression)).Any(series => series.GetProperty("value")[1].GetString() is not ("0" or "NaN"));

    /// <summary>All rules as it sees them: name, health, error, state.</summary>
    public async Task<IReadOnlyList<(string Name, string Health, string Error, string State)>> RulesAsync()
    {
        var body = JsonDocument.Parse(await _http.GetStringAsync("api/v1/rules", TestContext.Current.CancellationToken)).RootElement;
        return [.. body.GetProperty("data").GetProperty("groups").EnumerateArray().SelectMany(group => group.GetProperty("rules").EnumerateArray()).Select(rule => (
            rule.GetProperty("name").GetString()!, rule.GetProperty("health").GetString()!, Text(rule, "lastError"), Text(rule, "state")))];

        static string Text(JsonElement rule, string name) => rule.TryGetProperty(name, out var value) ? value.GetString()! : "";
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _folder.Dispose();
    }

    // It takes a free port, says which, and later that it is ready.
    private void Read(string? line)
    {
        if (line is null)
        {
            _ready.TrySetException(new InvalidOperationException($"Prometheus has ended:\n{string.Join('\n', _log)}"));
            return;
        }

        _log.Add(line);
        if (Listening().Match(line) is { Success: true } listening) _address = listening.Groups[1].Value;
        if (_address is not null && line.Contains("Server is ready to receive web requests", StringComparison.Ordinal)) _ready.TrySetResult(new Uri($"http://{_address}/"));
    }

    [GeneratedRegex(@"msg=""Listening on"" address=(\S+)")]
    private static partial Regex Listening();
}
