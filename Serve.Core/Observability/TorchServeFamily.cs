namespace Serve.Core.Observability;

/// <summary>One of TorchServe's metrics, as its <c>ts/configs/metrics.yaml</c> declares it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type"><c>counter</c> or <c>gauge</c>.</param>
/// <param name="Unit">Its unit, which TorchServe writes into the help text.</param>
/// <param name="Labels">Names of its labels, in TorchServe's order.</param>
/// <param name="Meaning">What Serve tells by it, for people.</param>
public sealed record TorchServeFamily(string Name, string Type, string Unit, IReadOnlyList<string> Labels, string Meaning)
{
    private static readonly string[] OfHost = ["Level", "Hostname"];
    private static readonly string[] OfVersion = ["model_name", "model_version", "hostname"];
    private static readonly string[] OfWorker = ["WorkerName", "Level", "Hostname"];
    private static readonly string[] OfModel = ["ModelName", "Level", "Hostname"];
    private static readonly string[] OfGpu = ["Level", "DeviceId", "Hostname"];

    internal static readonly TorchServeFamily Requests2XX = Counter("Requests2XX", "Count", OfHost, "Answers of the inference and management listeners, REST and gRPC, with status 2XX.");
    internal static readonly TorchServeFamily Requests4XX = Counter("Requests4XX", "Count", OfHost, "With status 4XX.");
    internal static readonly TorchServeFamily Requests5XX = Counter("Requests5XX", "Count", OfHost, "All others.");
    internal static readonly TorchServeFamily InferenceRequests = Counter("ts_inference_requests_total", "Count", OfVersion, "Requests answered. The version is always the one that answered, also where the request named none (TorchServe: `default`).");
    internal static readonly TorchServeFamily InferenceLatency = Counter("ts_inference_latency_microseconds", "Microseconds", OfVersion, "The sum of the times from the queue to the answer of the requests that a worker answered.");
    internal static readonly TorchServeFamily QueueLatency = Counter("ts_queue_latency_microseconds", "Microseconds", OfVersion, "The part of it in which they waited: stages `queue`, `decode_wait` and `assemble`.");
    internal static readonly TorchServeFamily QueueTime = Gauge("QueueTime", "Milliseconds", OfHost, "The same, the mean of the requests since the scrape before; without any, the last one stays. TorchServe: the last request's.");
    internal static readonly TorchServeFamily WorkerThreadTime = Gauge("WorkerThreadTime", "Milliseconds", OfHost, "The way to the worker and back (stage `transfer`), likewise.");
    internal static readonly TorchServeFamily WorkerLoadTime = Gauge("WorkerLoadTime", "Milliseconds", OfWorker, "How long a worker took until it was ready; it is called `W-ID-MODEL_VERSION`.");
    internal static readonly TorchServeFamily HandlerTime = Gauge("HandlerTime", "ms", OfModel, "Decoding, executing and postprocessing (stages `decode`, `execute`, `encode`), the mean since the scrape before.");
    internal static readonly TorchServeFamily PredictionTime = Gauge("PredictionTime", "ms", OfModel, "From the arrival at the worker to its answer, likewise.");
    internal static readonly TorchServeFamily CpuUtilization = Gauge("CPUUtilization", "Percent", OfHost, "Of all processors of the machine, since the scrape before.");
    internal static readonly TorchServeFamily MemoryUsed = Gauge("MemoryUsed", "Megabytes", OfHost, "Of the machine; what only caches files does not count as used.");
    internal static readonly TorchServeFamily MemoryAvailable = Gauge("MemoryAvailable", "Megabytes", OfHost, "Likewise.");
    internal static readonly TorchServeFamily MemoryUtilization = Gauge("MemoryUtilization", "Percent", OfHost, "Likewise.");
    internal static readonly TorchServeFamily DiskUsage = Gauge("DiskUsage", "Gigabytes", OfHost, "Of the disk that the server is installed on.");
    internal static readonly TorchServeFamily DiskAvailable = Gauge("DiskAvailable", "Gigabytes", OfHost, "Likewise.");
    internal static readonly TorchServeFamily DiskUtilization = Gauge("DiskUtilization", "Percent", OfHost, "Likewise.");
    internal static readonly TorchServeFamily GpuUtilization = Gauge("GPUUtilization", "Percent", OfGpu, "Of each GPU that workers can use.");
    internal static readonly TorchServeFamily GpuMemoryUtilization = Gauge("GPUMemoryUtilization", "Percent", OfGpu, "Likewise.");
    internal static readonly TorchServeFamily GpuMemoryUsed = Gauge("GPUMemoryUsed", "Megabytes", OfGpu, "Likewise.");

    /// <summary>All of them.</summary>
    internal static IReadOnlyList<TorchServeFamily> All { get; } =
    [
        Requests2XX, Requests4XX, Requests5XX, InferenceRequests, InferenceLatency, QueueLatency, QueueTime, WorkerThreadTime, WorkerLoadTime,
        HandlerTime, PredictionTime, CpuUtilization, MemoryUsed, MemoryAvailable, MemoryUtilization, DiskUsage, DiskAvailable, DiskUtilization,
        GpuUtilization, GpuMemoryUtilization, GpuMemoryUsed,
    ];

    private static TorchServeFamily Counter(string name, string unit, string[] labels, string meaning) => new(name, "counter", unit, labels, meaning);

    private static TorchServeFamily Gauge(string name, string unit, string[] labels, string meaning) => new(name, "gauge", unit, labels, meaning);
}
