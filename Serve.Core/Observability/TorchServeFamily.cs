namespace Serve.Core.Observability;

/// <summary>One of TorchServe's metrics, as its <c>ts/configs/metrics.yaml</c> declares it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type"><c>counter</c> or <c>gauge</c>.</param>
/// <param name="Unit">Its unit, which TorchServe writes into the help text.</param>
public sealed record TorchServeFamily(string Name, string Type, string Unit)
{
    internal static readonly TorchServeFamily Requests2XX = Counter("Requests2XX", "Count");
    internal static readonly TorchServeFamily Requests4XX = Counter("Requests4XX", "Count");
    internal static readonly TorchServeFamily Requests5XX = Counter("Requests5XX", "Count");
    internal static readonly TorchServeFamily InferenceRequests = Counter("ts_inference_requests_total", "Count");
    internal static readonly TorchServeFamily InferenceLatency = Counter("ts_inference_latency_microseconds", "Microseconds");
    internal static readonly TorchServeFamily QueueLatency = Counter("ts_queue_latency_microseconds", "Microseconds");
    internal static readonly TorchServeFamily QueueTime = Gauge("QueueTime", "Milliseconds");
    internal static readonly TorchServeFamily WorkerThreadTime = Gauge("WorkerThreadTime", "Milliseconds");
    internal static readonly TorchServeFamily WorkerLoadTime = Gauge("WorkerLoadTime", "Milliseconds");
    internal static readonly TorchServeFamily HandlerTime = Gauge("HandlerTime", "ms");
    internal static readonly TorchServeFamily PredictionTime = Gauge("PredictionTime", "ms");
    internal static readonly TorchServeFamily CpuUtilization = Gauge("CPUUtilization", "Percent");
    internal static readonly TorchServeFamily MemoryUsed = Gauge("MemoryUsed", "Megabytes");
    internal static readonly TorchServeFamily MemoryAvailable = Gauge("MemoryAvailable", "Megabytes");
    internal static readonly TorchServeFamily MemoryUtilization = Gauge("MemoryUtilization", "Percent");
    internal static readonly TorchServeFamily DiskUsage = Gauge("DiskUsage", "Gigabytes");
    internal static readonly TorchServeFamily DiskAvailable = Gauge("DiskAvailable", "Gigabytes");
    internal static readonly TorchServeFamily DiskUtilization = Gauge("DiskUtilization", "Percent");
    internal static readonly TorchServeFamily GpuUtilization = Gauge("GPUUtilization", "Percent");
    internal static readonly TorchServeFamily GpuMemoryUtilization = Gauge("GPUMemoryUtilization", "Percent");
    internal static readonly TorchServeFamily GpuMemoryUsed = Gauge("GPUMemoryUsed", "Megabytes");

    /// <summary>All of them.</summary>
    internal static IReadOnlyList<TorchServeFamily> All { get; } =
    [
        Requests2XX, Requests4XX, Requests5XX, InferenceRequests, InferenceLatency, QueueLatency, QueueTime, WorkerThreadTime, WorkerLoadTime,
        HandlerTime, PredictionTime, CpuUtilization, MemoryUsed, MemoryAvailable, MemoryUtilization, DiskUsage, DiskAvailable, DiskUtilization,
        GpuUtilization, GpuMemoryUtilization, GpuMemoryUsed,
    ];

    private static TorchServeFamily Counter(string name, string unit) => new(name, "counter", unit);

    private static TorchServeFamily Gauge(string name, string unit) => new(name, "gauge", unit);
}
