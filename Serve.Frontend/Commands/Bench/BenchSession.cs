using System.Net;
using System.Net.Sockets;
using Serve.LoadGenerator.Http;
using Serve.LoadGenerator.Load;
using Serve.LoadGenerator.Measurement;
using Serve.LoadGenerator.Reporting;
using Serve.LoadGenerator.ServerSide;

namespace Serve.Frontend.Commands.Bench;

/// <summary>Loads one server with one load after the other and reports them.</summary>
internal sealed class BenchSession : IDisposable
{
    private static readonly TimeSpan ScrapePatience = TimeSpan.FromSeconds(5);

    private readonly LoadOptions _load;
    private readonly MeasurementOptions _measurement;
    private readonly string? _metrics;
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, ConnectTimeout = ScrapePatience });

    /// <param name="load">Server, targets and the rest; clients and arrivals are set for each point.</param>
    /// <param name="measurement">How long each point takes.</param>
    /// <param name="metrics">Address of the server's metrics; null: there are none.</param>
    public BenchSession(LoadOptions load, MeasurementOptions measurement, string? metrics) => (_load, _measurement, _metrics) = (load, measurement, metrics);

    /// <summary>The address of a server as a socket needs it.</summary>
    /// <exception cref="CommandException">Its name means nothing, or it wants TLS.</exception>
    public static IPEndPoint EndPointOf(Uri url)
    {
        if (url.Scheme != Uri.UriSchemeHttp) throw new CommandException(ExitCode.Usage, $"{url}: only http:// is measured, not {url.Scheme}://.");
        if (IPAddress.TryParse(url.DnsSafeHost, out var address)) return new IPEndPoint(address, url.Port);
        try
        {
            var addresses = Dns.GetHostAddresses(url.DnsSafeHost);
            return new IPEndPoint(addresses.FirstOrDefault(candidate => candidate.AddressFamily == AddressFamily.InterNetwork) ?? addresses[0], url.Port);
        }
        catch (SocketException e)
        {
            throw new CommandException(ExitCode.Unreachable, $"{url.DnsSafeHost} has no address: {e.Message}.");
        }
    }

    /// <summary>Requests for one model as bytes.</summary>
    public static LoadTarget Target(string label, double weight, Uri url, IEnumerable<RequestBody> bodies, IReadOnlyList<KeyValuePair<string, string>> headers) =>
        new(label, [.. bodies.Select(body => (ReadOnlyMemory<byte>)RequestBytes.Post(url, body.ContentType, body.Bytes, headers))], weight);

    /// <summary>Sends one request, so that a wrong name or wrong data is an error now and not in every figure.</summary>
    /// <exception cref="CommandException">It was refused, or nobody answers.</exception>
    public static void Try(LoadOptions load, CancellationToken cancellation)
    {
        foreach (var target in load.Targets)
        {
            var figures = LoadMeasurement.Run(
                load with { Targets = [target with { Requests = [target.Requests[0]], Weight = 1 }], Clients = 1, ArrivalsPerSecond = 0, Threads = 1 },
                new MeasurementOptions { WarmUp = TimeSpan.Zero, Window = TimeSpan.FromMilliseconds(50), MostWindows = (int)Math.Min(100_000, load.Timeout / TimeSpan.FromMilliseconds(50)) },
                progress: null,
                isEnough: windows => windows[^1].Answers + windows[^1].Errors > 0, // whether there are answers at all
                cancellation: cancellation);
            if (figures.Seen.Answers > 0 || cancellation.IsCancellationRequested) continue;
            var isUnreachable = figures.Seen.ErrorsByKind().Any(error => error.Key == "connection refused");
            throw new CommandException(isUnreachable ? ExitCode.Unreachable : ExitCode.Failed, $"{target.Name} does not answer: {figures.Seen.FirstError ?? "there was no answer in time"}");
        }
    }

    /// <summary>Measures the loads in turn.</summary>
    /// <param name="report">What is known before; its points are added.</param>
    /// <param name="loads">Clients, or arrivals per second.</param>
    /// <param name="progress">Told after each window and each point.</param>
    /// <param name="cancellation">Ends it with what there is.</param>
    public BenchReport Run(BenchReport report, IReadOnlyList<double> loads, Action<BenchReport, double, IReadOnlyList<LoadWindow>?> progress, CancellationToken cancellation)
    {
        var isOpen = report.Load == "rate";
        foreach (var load in loads)
        {
            var figures = LoadMeasurement.Run(
                isOpen ? _load with { ArrivalsPerSecond = load } : _load with { Clients = (int)load },
                _measurement, Scrape, windows => progress(report, load, windows), cancellation: cancellation);
            var point = BenchPoint.Of(load, isOpen, figures, report.Targets);
            report = report with { Points = [.. report.Points, point], WasInterrupted = cancellation.IsCancellationRequested };
            progress(report, load, null);
            if (cancellation.IsCancellationRequested) break;
        }

        return report;
    }

    /// <summary>Reads the server's metrics; null if there are none.</summary>
    public MetricsSample? Scrape()
    {
        if (_metrics is null) return null;
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, _metrics + "/metrics");
            using var patience = new CancellationTokenSource(ScrapePatience);
            using var response = _http.Send(request, patience.Token);
            if (!response.IsSuccessStatusCode) return null;
            using var reader = new StreamReader(response.Content.ReadAsStream(patience.Token));
            return MetricsSample.Parse(reader.ReadToEnd());
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException)
        {
            // The load is what matters: without the server's figures it is a smaller report.
            return null;
        }
    }

    public void Dispose() => _http.Dispose();
}
