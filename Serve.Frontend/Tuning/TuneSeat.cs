using System.Diagnostics;
using System.Text.Json;
using Serve.Frontend.Commands;
using Serve.Frontend.Commands.Bench;
using Serve.LoadGenerator.Load;
using Serve.LoadGenerator.Measurement;
using Serve.LoadGenerator.ServerSide;

namespace Serve.Frontend.Tuning;

/// <summary>A server with one setting loaded, or none. Settings have servers of their own, so that the threads of one are not chosen by the workers of another.</summary>
internal sealed class TuneSeat : IDisposable
{
    private readonly TuneOverlay _overlay;
    private readonly TuneServer _server;
    private readonly ServerClient _client;
    private readonly LoadOptions _load;
    private readonly string _model;

    /// <param name="overlay">The model.</param>
    /// <param name="server">A server whose store that is; the seat's from now on.</param>
    /// <param name="bodies">What to send.</param>
    public TuneSeat(TuneOverlay overlay, TuneServer server, IReadOnlyList<RequestBody> bodies)
    {
        (_overlay, _server) = (overlay, server);
        _model = overlay.Url[..overlay.Url.IndexOf('/', StringComparison.Ordinal)];
        _client = new ServerClient(server.Addresses.Inference, server.Addresses.Management, ClientCredentials.None);
        var url = new Uri(new Uri(server.Addresses.Inference), $"/predictions/{Uri.EscapeDataString(_model)}");
        _load = new LoadOptions { Server = BenchSession.EndPointOf(url), Targets = [BenchSession.Target(_model, 1, url, bodies, [])], Timeout = TimeSpan.FromMinutes(2) };
    }

    /// <summary>What is loaded.</summary>
    public TuneSetting? Setting { get; private set; }

    /// <summary>Registers the model with a setting, and waits until its workers are ready.</summary>
    /// <returns>Why they are not; null: they are.</returns>
    public string? Load(TuneSetting setting, int maxQueueSize, CancellationToken cancellation)
    {
        _overlay.Write(setting, maxQueueSize);
        try
        {
            _client.ManageAsync(HttpMethod.Post, new QueryText("/models").Add("url", _overlay.Url).ToString(), cancellation).GetAwaiter().GetResult();
        }
        catch (CommandException e) when (e.ExitCode == ExitCode.Failed)
        {
            return e.Message;
        }

        Setting = setting;
        return null;
    }

    /// <summary>Unregisters it.</summary>
    public void Unload()
    {
        if (Setting is null) return;
        Setting = null;
        _client.ManageAsync(HttpMethod.Delete, $"/models/{Uri.EscapeDataString(_model)}", CancellationToken.None).GetAwaiter().GetResult();
    }

    /// <summary>Asks it.</summary>
    public TuneTurn Run(int clients, TuneStretch stretch, CancellationToken cancellation)
    {
        using var session = new BenchSession(_load with { Clients = clients }, new MeasurementOptions(), _server.Addresses.Metrics);
        List<int> pids = [_server.Pid, .. Workers()];
        var (cpu, since) = (TimeSpan.Zero, 0L);
        var all = new LoadWindow(1);
        var figures = LoadMeasurement.Run(
            _load with { Clients = clients },
            new MeasurementOptions { WarmUp = stretch.WarmUp, Window = stretch.Window, Tolerance = stretch.Tolerance, MostWindows = stretch.MostWindows },
            () =>
            {
                // At the first scrape, when the warm-up is over.
                if (since == 0) (cpu, since) = (ProcessCpu.Of(pids), Stopwatch.GetTimestamp());
                return session.Scrape();
            },
            isEnough: windows =>
            {
                all.Add(windows[^1]);
                return stretch.EnoughAnswers > 0 && all.Answers >= stretch.EnoughAnswers;
            },
            cancellation: cancellation);
        cancellation.ThrowIfCancellationRequested();
        var cores = (ProcessCpu.Of(pids) - cpu) / Stopwatch.GetElapsedTime(since);
        var (seen, server) = (stretch.EnoughAnswers > 0 ? all : figures.Seen, figures.Server);
        double Stage(string name) => server?.Stages.Where(stage => stage.Stage == name).Sum(stage => stage.Mean.TotalMilliseconds) ?? 0;
        return new TuneTurn
        {
            PerSecond = seen.AnswersPerSecond,
            Latency = seen.Latency,
            Errors = seen.Errors,
            FirstError = seen.FirstError,
            MeanBatch = server?.MeanBatch ?? 0,
            ExecuteMilliseconds = Stage("execute"),
            DecodeMilliseconds = Stage("decode"),
            DeviceUse = server?.DeviceBusy ?? 0,
            WorkerMemoryBytes = server?.WorkerMemoryBytes ?? 0,
            DeviceMemoryBytes = Most(session.Scrape(), "serve_worker_device_memory_bytes", sum: true),
            ServerCores = cores,
            ClientCores = figures.ClientCores,
            Bottleneck = Bottleneck(),
        };
    }

    /// <summary>Memory of the smallest device; null where nothing tells.</summary>
    public long? DeviceTotalBytes()
    {
        using var session = new BenchSession(_load, new MeasurementOptions(), _server.Addresses.Metrics);
        return Most(session.Scrape(), "serve_device_memory_total_bytes", sum: false);
    }

    public void Dispose()
    {
        _client.Dispose();
        _server.Dispose();
    }

    private static long? Most(MetricsSample? sample, string name, bool sum) =>
        sample?.Of(name) is { Count: > 0 } series ? (long)(sum ? series.Sum(one => one.Value) : series.Min(one => one.Value)) : null;

    private List<int> Workers()
    {
        using var description = Describe();
        return [.. description.RootElement[0].GetProperty("workers").EnumerateArray().Where(worker => worker.TryGetProperty("pid", out _)).Select(worker => worker.GetProperty("pid").GetInt32())];
    }

    private string? Bottleneck()
    {
        using var description = Describe();
        return description.RootElement[0].TryGetProperty("bottleneck", out var words) ? words.GetString() : null;
    }

    private JsonDocument Describe() =>
        JsonDocument.Parse(_client.ManageAsync(HttpMethod.Get, $"/models/{Uri.EscapeDataString(_model)}", CancellationToken.None).GetAwaiter().GetResult());
}
