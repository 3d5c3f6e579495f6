using System.Net;
using Serve.Core.Devices.Host;
using Serve.Core.Models;
using Serve.Core.Observability;
using static Serve.Core.Observability.TorchServeFamily;

namespace Serve.Frontend.Metrics.TorchServe;

/// <summary>
/// TorchServe's metrics, for dashboards and alerts that were made for it. They are computed when Prometheus asks, from what
/// Serve counts anyway: a request costs nothing more. docs/metrics.md says what each is here.
/// </summary>
/// <param name="registry">The models.</param>
/// <param name="host">The machine.</param>
/// <param name="listeners">Listeners whose answers count.</param>
internal sealed class TorchServeMetrics(ModelRegistry registry, HostMonitor host, IReadOnlyList<HttpMetrics> listeners)
{
    private const double Mebibyte = 1 << 20;
    private const double Gibibyte = 1 << 30;
    private const double Microseconds = 1e6;

    private readonly string _host = Dns.GetHostName();
    private readonly StageMeans _means = new();
    private readonly Lock _gate = new();

    /// <summary>The text of a scrape.</summary>
    public byte[] Write()
    {
        lock (_gate)
        {
            var text = new TorchServeText();
            var versions = registry.AllVersions.OrderBy(version => version.Name, StringComparer.Ordinal).ThenBy(version => version.Version, StringComparer.Ordinal).ToList();
            _means.Update(versions);
            WriteRequests(text, versions);
            WriteTimes(text, versions);
            WriteHost(text);
            WriteGpus(text);
            return text.ToBytes();
        }
    }

    private void WriteRequests(TorchServeText text, List<ModelVersion> versions)
    {
        text.Add(Requests2XX, Answers(2), OfHost);
        text.Add(Requests4XX, Answers(4), OfHost);
        text.Add(Requests5XX, Answers(1) + Answers(3) + Answers(5), OfHost);
        foreach (var version in versions) text.Add(InferenceRequests, version.Metrics.RequestsAnswered, Of(version));
        foreach (var version in versions) text.Add(InferenceLatency, version.Metrics.StageTotals.All * Microseconds, Of(version));
        foreach (var version in versions) text.Add(QueueLatency, version.Metrics.StageTotals.Waiting * Microseconds, Of(version));
    }

    private void WriteTimes(TorchServeText text, List<ModelVersion> versions)
    {
        var server = _means.OfServer;
        text.Add(QueueTime, StageMeans.Milliseconds(server.Waiting, server.Requests), OfHost);
        text.Add(WorkerThreadTime, StageMeans.Milliseconds(server.Transfer, server.Requests), OfHost);
        foreach (var version in versions)
        {
            foreach (var worker in version.Describe().Workers)
            {
                text.Add(WorkerLoadTime, worker.LoadTime?.TotalMilliseconds, $"W-{worker.Id}-{version.Name}_{version.Version}", "Host", _host);
            }
        }

        foreach (var (model, spent) in _means.OfModels) text.Add(HandlerTime, StageMeans.Milliseconds(spent.Handler, spent.Requests), OfModel(model));
        foreach (var (model, spent) in _means.OfModels) text.Add(PredictionTime, StageMeans.Milliseconds(spent.AtWorker, spent.Requests), OfModel(model));
    }

    private void WriteHost(TorchServeText text)
    {
        var reading = host.Read();
        text.Add(CpuUtilization, reading.CpuUtilization * 100, OfHost);
        text.Add(MemoryUsed, reading.MemoryUsedBytes / Mebibyte, OfHost);
        text.Add(MemoryAvailable, reading.MemoryAvailableBytes / Mebibyte, OfHost);
        text.Add(MemoryUtilization, Percent(reading.MemoryTotalBytes - reading.MemoryAvailableBytes, reading.MemoryTotalBytes), OfHost);
        text.Add(DiskUsage, reading.DiskUsedBytes / Gibibyte, OfHost);
        text.Add(DiskAvailable, reading.DiskAvailableBytes / Gibibyte, OfHost);
        text.Add(DiskUtilization, Percent(reading.DiskUsedBytes, reading.DiskUsedBytes + reading.DiskAvailableBytes), OfHost);
    }

    private void WriteGpus(TorchServeText text)
    {
        var gpus = registry.Devices.Readings;
        foreach (var gpu in gpus) text.Add(GpuUtilization, gpu.Utilization * 100, OfGpu(gpu.Device));
        foreach (var gpu in gpus) text.Add(GpuMemoryUtilization, Percent(gpu.MemoryUsedBytes, gpu.MemoryTotalBytes), OfGpu(gpu.Device));
        foreach (var gpu in gpus) text.Add(GpuMemoryUsed, gpu.MemoryUsedBytes / Mebibyte, OfGpu(gpu.Device));
    }

    private string[] OfHost => ["Host", _host];

    private string[] Of(ModelVersion version) => [version.Name, version.Version, _host];

    private string[] OfModel(string model) => [model, "Model", _host];

    private string[] OfGpu(string device) => ["Host", device[(device.IndexOf(':', StringComparison.Ordinal) + 1)..], _host];

    private double Answers(int firstDigit) => listeners.Sum(listener => listener.Count(firstDigit));

    private static double? Percent(long? part, long? whole) => whole > 0 ? 100.0 * part / whole : null;
}
