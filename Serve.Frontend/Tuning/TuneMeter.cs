using System.Diagnostics;
using System.Text.Json;
using Serve.Frontend.Commands;
using Serve.Frontend.Commands.Bench;
using Serve.LoadGenerator.Load;
using Serve.LoadGenerator.Measurement;
using Serve.LoadGenerator.ServerSide;

namespace Serve.Frontend.Tuning;

/// <summary>Measures one setting: registers the model with it, loads it, and unregisters it.</summary>
internal sealed class TuneMeter : IDisposable
{
    private const int MostClients = 512;
    private const int MostTries = 4;

    // How often each client is answered in a window at the least: less, and it is chance how many batches end in it.
    private const double RoundsOfGlance = 1;
    private const double RoundsInFull = 2;

    // A glance at what is slower than this part of the best so far ends after two windows instead of three.
    private const double HopelessShare = 0.8;
    private const int WindowsOfHopeless = 2;
    private static readonly TimeSpan LongestWindow = TimeSpan.FromSeconds(20);

    private readonly TuneOverlay _overlay;
    private readonly TuneServer _server;
    private readonly ServerClient _client;
    private readonly LoadOptions _load;
    private readonly TimeSpan _window;
    private readonly double? _bound;
    private readonly int? _clients;
    private readonly string _model;
    private double _lastPerSecond;

    /// <param name="overlay">The model.</param>
    /// <param name="server">A server whose store that is.</param>
    /// <param name="bodies">What to send.</param>
    /// <param name="window">Length of a window of a glance.</param>
    /// <param name="bound">The most milliseconds for the 99th percentile; null: any.</param>
    /// <param name="clients">Always so many clients; null: enough to fill the device, or as many as the bound allows.</param>
    public TuneMeter(TuneOverlay overlay, TuneServer server, IReadOnlyList<RequestBody> bodies, TimeSpan window, double? bound, int? clients)
    {
        (_overlay, _server, _window, _bound, _clients) = (overlay, server, window, bound, clients);
        _model = overlay.Url[..overlay.Url.IndexOf('/', StringComparison.Ordinal)];
        _client = new ServerClient(server.Addresses.Inference, server.Addresses.Management, ClientCredentials.None);
        var url = new Uri(new Uri(server.Addresses.Inference), $"/predictions/{Uri.EscapeDataString(_model)}");
        _load = new LoadOptions { Server = BenchSession.EndPointOf(url), Targets = [BenchSession.Target(_model, 1, url, bodies, [])], Timeout = TimeSpan.FromMinutes(2) };
    }

    /// <summary>Measures a setting. One that does not start, or does not answer, is a result with its failure.</summary>
    /// <param name="setting">The setting.</param>
    /// <param name="effort">How well.</param>
    /// <param name="rival">The best so far: a glance at one that is hopeless beside it ends early. Null: none does.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="OperationCanceledException">Somebody has ended it.</exception>
    public TuneResult Measure(TuneSetting setting, TuneEffort effort, TuneResult? rival, CancellationToken cancellation)
    {
        var start = Stopwatch.GetTimestamp();
        _overlay.Write(setting, maxQueueSize: 4 * MostClients);
        try
        {
            _client.ManageAsync(HttpMethod.Post, new QueryText("/models").Add("url", _overlay.Url).ToString(), cancellation).GetAwaiter().GetResult();
        }
        catch (CommandException e) when (e.ExitCode == ExitCode.Failed)
        {
            return new TuneResult { Setting = setting, Effort = effort, Failure = e.Message, Seconds = Stopwatch.GetElapsedTime(start).TotalSeconds };
        }

        try
        {
            var result = MeasureWithin(setting, effort, rival, cancellation);
            return result with { Seconds = Math.Round(Stopwatch.GetElapsedTime(start).TotalSeconds, 2) };
        }
        finally
        {
            _client.ManageAsync(HttpMethod.Delete, $"/models/{Uri.EscapeDataString(_model)}", CancellationToken.None).GetAwaiter().GetResult();
        }
    }

    public void Dispose() => _client.Dispose();

    // Fewer clients until the bound holds: in a full server latency is in proportion to them.
    private TuneResult MeasureWithin(TuneSetting setting, TuneEffort effort, TuneResult? rival, CancellationToken cancellation)
    {
        var clients = _clients ?? Math.Clamp(2 * setting.BatchSize * setting.Instances * setting.Workers, 4, MostClients);
        TuneResult result;
        for (var tries = 1; ; tries++)
        {
            result = MeasureAt(setting, effort, clients, rival, cancellation);
            if (_bound is not { } bound || result.Failure is not null || result.P99Milliseconds <= bound || _clients is not null || clients == 1 || tries == MostTries) return result;
            clients = Math.Max(1, Math.Min(clients - 1, (int)(clients * 0.9 * bound / result.P99Milliseconds)));
        }
    }

    private TuneResult MeasureAt(TuneSetting setting, TuneEffort effort, int clients, TuneResult? rival, CancellationToken cancellation)
    {
        using var session = new BenchSession(_load with { Clients = clients }, new MeasurementOptions(), _server.Addresses.Metrics);
        if (_lastPerSecond == 0) _lastPerSecond = RoughRate(clients, cancellation);
        var window = effort == TuneEffort.Full ? 2 * _window : _window;
        if (_lastPerSecond > 0) window = TimeSpan.FromSeconds(Math.Clamp((effort == TuneEffort.Full ? RoundsInFull : RoundsOfGlance) * clients / _lastPerSecond, window.TotalSeconds, Math.Max(window.TotalSeconds, LongestWindow.TotalSeconds)));
        List<int> pids = [_server.Pid, .. Workers()];
        var (cpu, since) = (TimeSpan.Zero, 0L);
        var figures = LoadMeasurement.Run(
            _load with { Clients = clients },
            new MeasurementOptions { WarmUp = window / 2, Window = window, Tolerance = effort == TuneEffort.Full ? 0.07 : 0.15, MostWindows = effort == TuneEffort.Full ? 6 : 3 },
            () =>
            {
                // At the first scrape, when the warm-up is over.
                if (since == 0) (cpu, since) = (ProcessCpu.Of(pids), Stopwatch.GetTimestamp());
                return session.Scrape();
            },
            isEnough: windows => rival is not null && IsHopeless(windows, rival),
            cancellation: cancellation);
        cancellation.ThrowIfCancellationRequested();
        var cores = (ProcessCpu.Of(pids) - cpu) / Stopwatch.GetElapsedTime(since);
        var (seen, server) = (figures.Seen, figures.Server);
        if (seen.Answers == 0) return new TuneResult { Setting = setting, Effort = effort, Clients = clients, Failure = seen.FirstError ?? "No request was answered in time." };

        _lastPerSecond = seen.AnswersPerSecond;
        double Stage(params string[] names) => server?.Stages.Where(stage => names.Contains(stage.Stage)).Sum(stage => stage.Mean.TotalMilliseconds) ?? 0;
        return new TuneResult
        {
            Setting = setting,
            Effort = effort,
            PerSecond = Math.Round(seen.AnswersPerSecond, 2),
            P50Milliseconds = Math.Round(seen.Latency.Quantile(.5).TotalMilliseconds, 2),
            P99Milliseconds = Math.Round(seen.Latency.Quantile(.99).TotalMilliseconds, 2),
            Clients = clients,
            MeanBatch = Math.Round(server?.MeanBatch ?? 0, 2),
            ExecuteMilliseconds = Math.Round(Stage("execute"), 3),
            DecodeMilliseconds = Math.Round(Stage("decode"), 3),
            DeviceUse = Math.Round(Math.Min(1, (server?.DeviceBusy ?? 0) / setting.Workers), 3),
            WorkerMemoryBytes = server?.WorkerMemoryBytes ?? 0,
            DeviceMemoryBytes = DeviceMemory(session.Scrape()),
            ServerCores = Math.Round(cores, 2),
            ClientCores = Math.Round(figures.ClientCores, 2),
            Errors = seen.Errors,
            Bottleneck = Bottleneck(),
        };
    }

    // How fast it is, roughly: how long windows must be is not known before the first measurement, and one that is too short
    // sees a part of a batch.
    private double RoughRate(int clients, CancellationToken cancellation)
    {
        var options = new MeasurementOptions { WarmUp = TimeSpan.Zero, Window = _window, MostWindows = (int)Math.Max(1, LongestWindow / _window) };
        var all = new LoadWindow(1);
        LoadMeasurement.Run(
            _load with { Clients = clients },
            options,
            isEnough: windows =>
            {
                all.Add(windows[^1]);
                return all.Answers >= RoundsInFull * clients;
            },
            cancellation: cancellation);
        return all.AnswersPerSecond;
    }

    // Only throughput is looked at: a bound changes with the clients, and those are not known yet. The better of the windows
    // counts, for the first one can miss what was under way.
    private static bool IsHopeless(IReadOnlyList<LoadWindow> windows, TuneResult rival) =>
        windows.Count >= WindowsOfHopeless && windows.Max(window => window.AnswersPerSecond) < HopelessShare * rival.PerSecond;

    private static long? DeviceMemory(MetricsSample? sample) =>
        sample?.Of("serve_worker_device_memory_bytes") is { Count: > 0 } series ? (long)series.Sum(one => one.Value) : null;

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
