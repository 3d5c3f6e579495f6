using System.Runtime.CompilerServices;
using Serve.Core.Devices;
using Serve.Core.Devices.Host;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Core.Observability.Sampling;

namespace Serve.Management.Overview;

/// <summary>Makes overviews: the state of everything, with rates between two readings of its instruments.</summary>
/// <param name="registry">The models.</param>
/// <param name="health">What <c>/ping</c> says.</param>
/// <param name="inferenceAddress">Where inference is spoken over HTTP.</param>
/// <param name="inferenceNeedsToken">Whether who asks for one there has to show a token.</param>
/// <param name="time">The clock.</param>
internal sealed class OverviewSource(ModelRegistry registry, Func<ServerHealth> health, string inferenceAddress, bool inferenceNeedsToken, TimeProvider time)
{
    /// <summary>The time between two overviews.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    // Whoever asks should see something soon; the rates of the first overview are of this time.
    public static readonly TimeSpan FirstInterval = TimeSpan.FromSeconds(0.25);

    private readonly long _started = time.GetTimestamp();

    /// <summary>An overview soon, then one after each interval, until it is cancelled.</summary>
    public async IAsyncEnumerable<OverviewSample> SampleAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        var (reader, host) = (new InstrumentReader(), new HostMonitor());
        var (before, at) = (await ReadAsync(reader, cancellation), time.GetTimestamp());
        await Task.Delay(FirstInterval, time, cancellation);
        using var timer = new PeriodicTimer(Interval, time);
        do
        {
            var (after, now) = (await ReadAsync(reader, cancellation), time.GetTimestamp());
            yield return new OverviewSample(Make(before, after, time.GetElapsedTime(at, now), Host(host.Read())));
            (before, at) = (after, now);
        }
        while (await timer.WaitForNextTickAsync(cancellation));
    }

    private Task<IReadOnlyDictionary<ModelMetrics, VersionReading>> ReadAsync(InstrumentReader reader, CancellationToken cancellation) =>
        reader.ReadAsync([.. registry.AllVersions.Select(static version => version.Metrics)], cancellation);

    private OverviewBody Make(IReadOnlyDictionary<ModelMetrics, VersionReading> before, IReadOnlyDictionary<ModelMetrics, VersionReading> after, TimeSpan elapsed, OverviewDevice host)
    {
        // A version that was registered since the reading has not been read, and has done nothing that could be told.
        var rates = new List<VersionRates>();
        var models = registry.AllVersions.GroupBy(static version => version.Name, StringComparer.Ordinal).OrderBy(static model => model.Key, StringComparer.Ordinal).Select(model =>
        {
            var versions = model.OrderBy(static version => version.Version, VersionOrder.Instance).Select(version =>
            {
                var reading = after.GetValueOrDefault(version.Metrics, VersionReading.Nothing);
                var rate = VersionRates.Between(before.GetValueOrDefault(version.Metrics, VersionReading.Nothing), reading, elapsed);
                rates.Add(rate);
                return OverviewVersions.Of(version, rate, reading.WorkerDeaths);
            }).ToList();
            return new OverviewModel { Name = model.Key, DefaultVersion = versions.FirstOrDefault(static version => version.IsDefault)?.Version ?? versions[0].Version, Versions = versions };
        }).ToList();

        var durations = rates.Aggregate(HistogramCounts.Empty, static (sum, rate) => sum + rate.Durations);
        var all = models.SelectMany(static model => model.Versions).ToList();
        return new OverviewBody
        {
            Time = time.GetUtcNow(),
            UptimeSeconds = Math.Round(time.GetElapsedTime(_started).TotalSeconds, 1),
            Version = ServeVersion.Text,
            InferenceAddress = inferenceAddress,
            InferenceNeedsToken = inferenceNeedsToken,
            Health = TextOf(health()),
            IntervalSeconds = Math.Round(elapsed.TotalSeconds, 3),
            RequestsPerSecond = OverviewVersions.Rounded(rates.Sum(static rate => rate.RequestsPerSecond)),
            ErrorsPerSecond = OverviewVersions.Rounded(rates.Sum(static rate => rate.ServerErrorsPerSecond)),
            ClientErrorsPerSecond = OverviewVersions.Rounded(rates.Sum(static rate => rate.ClientErrorsPerSecond)),
            P50Ms = OverviewVersions.Milliseconds(durations, 0.5),
            P90Ms = OverviewVersions.Milliseconds(durations, 0.9),
            P99Ms = OverviewVersions.Milliseconds(durations, 0.99),
            InFlight = all.Sum(static version => version.InFlight),
            Queue = all.Sum(static version => version.Queue),
            Devices = [host, .. registry.Devices.Readings.Select(Gpu)],
            Models = models,
        };
    }

    private static OverviewDevice Host(HostReading host) => new()
    {
        Device = "cpu",
        Name = Environment.ProcessorCount == 1 ? "1 processor" : $"{Environment.ProcessorCount} processors",
        UtilizationRatio = OverviewVersions.Rounded(host.CpuUtilization),
        MemoryUsedBytes = host.MemoryUsedBytes,
        MemoryTotalBytes = host.MemoryTotalBytes,
    };

    private static OverviewDevice Gpu(DeviceReading gpu) => new()
    {
        Device = gpu.Device,
        Name = gpu.Name,
        UtilizationRatio = OverviewVersions.Rounded(gpu.Utilization),
        MemoryUsedBytes = gpu.MemoryUsedBytes,
        MemoryTotalBytes = gpu.MemoryTotalBytes,
        PowerWatts = OverviewVersions.Rounded(gpu.PowerWatts),
    };

    private static string TextOf(ServerHealth health) => health switch
    {
        ServerHealth.Healthy => "Healthy",
        ServerHealth.PartialHealthy => "Partial Healthy",
        _ => "Unhealthy",
    };
}
