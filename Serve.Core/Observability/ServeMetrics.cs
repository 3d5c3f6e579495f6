using System.Reflection;
using System.Runtime.InteropServices;
using Prometheus;

namespace Serve.Core.Observability;

/// <summary>
/// Every instrument of the server. Base units (seconds, bytes), bounded labels: only names of registered models become
/// label values, and a model's series leave with it. docs/metrics.md explains each one.
/// </summary>
/// <remarks>
/// Label look-ups cost more than the counting: a model version holds a <see cref="ModelMetrics"/>, which has looked up
/// everything once.
/// </remarks>
public static class ServeMetrics
{
    internal static readonly string[] ModelLabels = ["model", "version"];

    // From half a millisecond, a small model on an idle server, to the default responseTimeout.
    private static readonly double[] RequestSeconds =
        [.0005, .001, .002, .003, .005, .0075, .01, .015, .02, .03, .05, .075, .1, .15, .2, .3, .5, 1, 2, 5, 10, 30, 60, 120];

    // Stages of a request of a small model take microseconds.
    private static readonly double[] StageSeconds =
        [.00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60];

    private static readonly double[] BatchRows = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

    /// <summary>What a scrape collects.</summary>
    public static CollectorRegistry Registry => Metrics.DefaultRegistry;

    static ServeMetrics()
    {
        // process_* and the collector's counts stay; a series for every EventCounter and Meter of the runtime would cost
        // more memory and scrape time than everything of ours.
        Metrics.SuppressDefaultMetrics(new SuppressDefaultMetricOptions
        {
            SuppressDebugMetrics = true,
            SuppressEventCounters = true,
            SuppressMeters = true,
        });

        var allocated = Metrics.CreateCounter("serve_allocated_bytes_total", "Bytes that this process, the frontend, has allocated on its garbage-collected heap.");
        Registry.AddBeforeCollectCallback(() => allocated.IncTo(GC.GetTotalAllocatedBytes()));

        var version = typeof(ServeMetrics).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";
        Metrics.CreateGauge("serve_build_info", "Version of the server and of the .NET runtime that it runs on; always 1.", "version", "runtime")
            .WithLabels(version, RuntimeInformation.FrameworkDescription).Set(1);
    }

    // ---- requests ----

    internal static readonly Counter Requests = Metrics.CreateCounter("serve_requests_total",
        "Inference requests that were answered, by HTTP status code; 499: the client left first.", [.. ModelLabels, "code"]);

    internal static readonly Histogram RequestDuration = Metrics.CreateHistogram("serve_request_duration_seconds",
        "Time from the arrival of a request's headers until its answer was written.",
        new HistogramConfiguration { LabelNames = ModelLabels, Buckets = RequestSeconds });

    internal static readonly Histogram StageDuration = Metrics.CreateHistogram("serve_stage_duration_seconds",
        "Time that a request spent in one stage: read (body), queue, transfer (to the worker and back), decode_wait, decode, assemble (ready until its batch began), execute, encode, write (answer).",
        new HistogramConfiguration { LabelNames = [.. ModelLabels, "stage"], Buckets = StageSeconds });

    internal static readonly Histogram FirstPart = Metrics.CreateHistogram("serve_first_part_seconds",
        "Time from the arrival of a request until the first part of its answer came from the worker; of answers in parts only.",
        new HistogramConfiguration { LabelNames = ModelLabels, Buckets = RequestSeconds });

    internal static readonly Counter AnswerParts = Metrics.CreateCounter("serve_answer_parts_total",
        "Parts of answers in parts that came from workers.", ModelLabels);

    internal static readonly Gauge RequestsInFlight = Metrics.CreateGauge("serve_requests_in_flight",
        "Requests that are accepted and not yet answered.", ModelLabels);

    internal static readonly Counter RequestBytes = Metrics.CreateCounter("serve_request_bytes_total",
        "Bytes of inference request bodies.", ModelLabels);

    internal static readonly Counter ResponseBytes = Metrics.CreateCounter("serve_response_bytes_total",
        "Bytes of inference answer bodies.", ModelLabels);

    // ---- batches and queue ----

    internal static readonly Histogram BatchSize = Metrics.CreateHistogram("serve_batch_size",
        "Rows of the batches that were executed.", new HistogramConfiguration { LabelNames = ModelLabels, Buckets = BatchRows });

    internal static readonly Gauge QueueRequests = Metrics.CreateGauge("serve_queue_requests", "Requests that wait in the queue.", ModelLabels);

    internal static readonly Gauge QueueCapacity = Metrics.CreateGauge("serve_queue_capacity", "Requests that may wait in the queue (maxQueueSize).", ModelLabels);

    internal static readonly Counter Rejected = Metrics.CreateCounter("serve_rejected_total",
        "Requests that were refused on arrival with 503, by reason.", [.. ModelLabels, "reason"]);

    internal static readonly Counter Expired = Metrics.CreateCounter("serve_expired_total",
        "Requests whose deadline passed before they were answered (504), by where they were: queue, worker (not begun: no device time), running.", [.. ModelLabels, "where"]);

    internal static readonly Counter Cancelled = Metrics.CreateCounter("serve_cancelled_total", "Requests whose client left before they were answered.", ModelLabels);

    internal static readonly Counter Retries = Metrics.CreateCounter("serve_retries_total", "Requests that were given to another worker because theirs died.", ModelLabels);

    // ---- response cache ----

    internal static readonly Counter CacheHits = Metrics.CreateCounter("serve_response_cache_hits_total", "Requests that were answered with an answer that was kept.", ModelLabels);

    internal static readonly Counter CacheMisses = Metrics.CreateCounter("serve_response_cache_misses_total", "Requests whose answer was not kept, and that were run.", ModelLabels);

    internal static readonly Counter CacheJoined = Metrics.CreateCounter("serve_response_cache_joined_total",
        "Requests that were answered by another one with the same input, which was under way when they came.", ModelLabels);

    internal static readonly Counter CacheEvictions = Metrics.CreateCounter("serve_response_cache_evictions_total", "Answers that were kept and had to go because others needed the room.", ModelLabels);

    internal static readonly Gauge CacheBytes = Metrics.CreateGauge("serve_response_cache_bytes", "Memory that the answers take that are kept.", ModelLabels);

    internal static readonly Gauge CacheAnswers = Metrics.CreateGauge("serve_response_cache_answers", "Answers that are kept.", ModelLabels);

    // ---- load ----

    internal static readonly Gauge BatchMean = Metrics.CreateGauge("serve_batch_cost_mean_seconds",
        "How long a batch of so many rows takes on average, as measured of late.", [.. ModelLabels, "rows"]);

    internal static readonly Gauge BatchP99 = Metrics.CreateGauge("serve_batch_cost_p99_seconds",
        "The time that 99 of 100 batches of so many rows keep.", [.. ModelLabels, "rows"]);

    internal static readonly Gauge Headroom = Metrics.CreateGauge("serve_headroom_ratio",
        "Share of the capacity that is not asked for: 1 - arrivals * T(M) / M / device slots. Negative: more arrives than can be served. NaN: not measured yet.", ModelLabels);

    internal static readonly Gauge Arrivals = Metrics.CreateGauge("serve_arrivals_per_second", "Rows that arrive a second, of late; refused ones included.", ModelLabels);

    internal static readonly Gauge BatchFill = Metrics.CreateGauge("serve_batch_fill_ratio", "The mean batch of late as a share of the largest.", ModelLabels);

    internal static readonly Gauge PredictedWait = Metrics.CreateGauge("serve_predicted_wait_seconds", "How long a request that arrived now would wait for its answer.", ModelLabels);

    // ---- workers ----

    internal static readonly Gauge Workers = Metrics.CreateGauge("serve_workers", "Worker processes, by state.", [.. ModelLabels, "state"]);

    internal static readonly Counter WorkerStarts = Metrics.CreateCounter("serve_worker_starts_total", "Worker processes that were started.", ModelLabels);

    internal static readonly Counter WorkerDeaths = Metrics.CreateCounter("serve_worker_deaths_total",
        "Workers that were lost: not those that were asked to leave.", [.. ModelLabels, "reason"]);

    internal static readonly Counter AutoscaleSteps = Metrics.CreateCounter("serve_autoscale_steps_total",
        "Changes of the number of workers by autoscale, by reason: headroom and queue_wait (more), spare (one less), no_gain (more brought nothing).", [.. ModelLabels, "reason"]);

    internal static readonly Gauge WorkerMemory = Metrics.CreateGauge("serve_worker_memory_bytes", "Resident memory of a worker process.", [.. ModelLabels, "worker"]);

    internal static readonly Gauge WorkerDeviceMemory = Metrics.CreateGauge("serve_worker_device_memory_bytes",
        "Memory of a worker process on its GPU, where the driver tells.", [.. ModelLabels, "worker"]);

    internal static readonly Counter WorkerDeviceBusy = Metrics.CreateCounter("serve_worker_device_busy_seconds_total",
        "Time for which a worker's instances executed batches.", [.. ModelLabels, "worker"]);

    internal static readonly Counter WorkerDeviceIdle = Metrics.CreateCounter("serve_worker_device_idle_seconds_total",
        "Time for which a worker's device executed nothing, by reason: no_requests, decoding (requests were there, none of them decoded).", [.. ModelLabels, "worker", "reason"]);

    internal static readonly Counter WorkerDecodeBusy = Metrics.CreateCounter("serve_worker_decode_busy_seconds_total",
        "Time that a worker's decode threads spent decoding, of all threads together.", [.. ModelLabels, "worker"]);

    internal static readonly Counter WorkerDecodeCapacity = Metrics.CreateCounter("serve_worker_decode_capacity_seconds_total",
        "Time that a worker's decode threads had: what they could have spent decoding.", [.. ModelLabels, "worker"]);

    internal static readonly Counter WorkerEncodeBusy = Metrics.CreateCounter("serve_worker_encode_busy_seconds_total",
        "Time that a worker spent on postprocessing and writing answers.", [.. ModelLabels, "worker"]);

    internal static readonly Counter WorkerRows = Metrics.CreateCounter("serve_worker_rows_total",
        "Rows that a worker executed.", [.. ModelLabels, "worker"]);

    internal static readonly Counter WorkerCopiedRows = Metrics.CreateCounter("serve_worker_copied_rows_total",
        "Rows that a worker had to copy beside the others of their batch.", [.. ModelLabels, "worker"]);

    internal static readonly Counter WorkerPaddedRows = Metrics.CreateCounter("serve_worker_padded_rows_total",
        "Rows that nobody asked for, which a worker executed to fill a batch up to one of the sizes in which it executes.", [.. ModelLabels, "worker"]);

    internal static readonly Counter WorkerAllocated = Metrics.CreateCounter("serve_worker_allocated_bytes_total",
        "Bytes that a worker process has allocated on its garbage-collected heap.", [.. ModelLabels, "worker"]);

    // ---- models ----

    internal static readonly Gauge ModelLoad = Metrics.CreateGauge("serve_model_load_seconds", "How long the last worker took from its start until it was ready.", ModelLabels);

    internal static readonly Gauge ModelState = Metrics.CreateGauge("serve_model_state", "1 for the state that the model version is in, 0 for the others.", [.. ModelLabels, "state"]);

    internal static readonly Gauge ModelInfo = Metrics.CreateGauge("serve_model_info", "Handler and device of a model version; always 1.", [.. ModelLabels, "handler", "device"]);

    // ---- HTTP ----

    private static readonly Counter HttpRequests = Metrics.CreateCounter("serve_http_requests_total",
        "HTTP requests and gRPC calls that were answered, by listener and class of (for gRPC the corresponding) HTTP status code.", "listener", "code");

    private static readonly Counter Unauthorized = Metrics.CreateCounter("serve_unauthorized_total",
        "HTTP requests and gRPC calls that were refused because they had no valid token, by listener.", "listener");

    private static readonly Gauge CertificateExpiry = Metrics.CreateGauge("serve_tls_certificate_expiry_timestamp_seconds",
        "When the certificate of a listener ends, in Unix time.", "listener");

    /// <summary>When a listener's certificate ends.</summary>
    /// <param name="listener">The listener's name.</param>
    /// <param name="expires">The end of its validity.</param>
    public static void CertificateExpires(string listener, DateTimeOffset expires) => CertificateExpiry.WithLabels(listener).Set(expires.ToUnixTimeSeconds());

    private static readonly Counter LogLinesDropped = Metrics.CreateCounter("serve_log_lines_dropped_total",
        "Lines of the logs that were not written, because more came than could be written or the disk is full, by log.", "log");

    private static readonly Counter Traces = Metrics.CreateCounter("serve_traces_total", "Inferences that were traced: sampled, and ended.");

    private static readonly Counter TracesDropped = Metrics.CreateCounter("serve_traces_dropped_total", "Inferences that were sampled and whose spans were not made, because more ended than could be written.");

    /// <summary>An inference that is traced has ended.</summary>
    internal static void TraceEnded() => Traces.Inc();

    /// <summary>Its spans are lost.</summary>
    internal static void TraceDropped() => TracesDropped.Inc();

    /// <summary>The counter of one log.</summary>
    /// <param name="log">The log's name: <c>console</c>, <c>access</c>, <c>server</c> or <c>model</c>.</param>
    public static LogMetrics Log(string log) => new(LogLinesDropped, log);

    /// <summary>The counters of one listener, by the first digit of the status code.</summary>
    /// <param name="listener">The listener's name: <c>inference</c>, <c>management</c>, <c>metrics</c>, <c>grpc_inference</c> or <c>grpc_management</c>.</param>
    public static HttpMetrics Http(string listener) => new(HttpRequests, Unauthorized, listener);

    /// <summary>A label value for an enumeration's name: <c>QueueFull</c> is <c>queue_full</c>.</summary>
    internal static string Label<T>(T value)
        where T : struct, Enum
    {
        var name = value.ToString();
        return string.Concat(name.Select((letter, i) => char.IsUpper(letter) && i > 0 ? $"_{char.ToLowerInvariant(letter)}" : $"{char.ToLowerInvariant(letter)}"));
    }
}
