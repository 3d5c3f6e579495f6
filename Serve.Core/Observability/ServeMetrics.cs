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
    // First: what is made below has the factory's behaviour. By itself the library looks for the thread's current activity at
    // every count; exemplars are given where there are traces, and only there.
    private static readonly ExemplarBehavior OnlyGiven = SetExemplars();

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

        Registry.AddBeforeCollectCallback(() => Allocated.IncTo(GC.GetTotalAllocatedBytes()));

        BuildInfo.WithLabels(ServeVersion.Text, RuntimeInformation.FrameworkDescription).Set(1);
    }

    private static ExemplarBehavior SetExemplars() => Metrics.DefaultFactory.ExemplarBehavior = new ExemplarBehavior();

    // ---- requests ----

    internal static readonly Counter Requests = Metrics.CreateCounter("serve_requests_total",
        "Inference requests answered, by HTTP status; 499: the client left first.", [.. ModelLabels, "code"]);

    internal static readonly Histogram RequestDuration = Metrics.CreateHistogram("serve_request_duration_seconds",
        "From the arrival of the headers until the answer was written.",
        new HistogramConfiguration { LabelNames = ModelLabels, Buckets = RequestSeconds });

    internal static readonly Histogram StageDuration = Metrics.CreateHistogram("serve_stage_duration_seconds",
        "Where the time of requests went, by stage, in their order: read, queue, transfer, decode_wait, decode, assemble, execute, encode, write.",
        new HistogramConfiguration { LabelNames = [.. ModelLabels, "stage"], Buckets = StageSeconds });

    internal static readonly Histogram FirstPart = Metrics.CreateHistogram("serve_first_part_seconds",
        "Answers in parts only: from the arrival of the request until its first part came from the worker.",
        new HistogramConfiguration { LabelNames = ModelLabels, Buckets = RequestSeconds });

    internal static readonly Counter AnswerParts = Metrics.CreateCounter("serve_answer_parts_total",
        "Parts of answers in parts that came from workers.", ModelLabels);

    internal static readonly Gauge RequestsInFlight = Metrics.CreateGauge("serve_requests_in_flight",
        "Requests accepted and not yet answered.", ModelLabels);

    internal static readonly Gauge BodyMemory = Metrics.CreateGauge("serve_body_memory_bytes",
        "Memory in use in which workers read the bodies of requests where they were received (bodyMemory).", ModelLabels);

    internal static readonly Counter RequestBytes = Metrics.CreateCounter("serve_request_bytes_total",
        "Bytes of the bodies of inference requests.", ModelLabels);

    internal static readonly Counter ResponseBytes = Metrics.CreateCounter("serve_response_bytes_total",
        "Bytes of the bodies of their answers.", ModelLabels);

    // ---- batches and queue ----

    internal static readonly Histogram BatchSize = Metrics.CreateHistogram("serve_batch_size",
        "Rows of the batches that were executed.", new HistogramConfiguration { LabelNames = ModelLabels, Buckets = BatchRows });

    internal static readonly Gauge QueueRequests = Metrics.CreateGauge("serve_queue_requests", "Requests that wait in the queue.", ModelLabels);

    internal static readonly Gauge QueueCapacity = Metrics.CreateGauge("serve_queue_capacity", "How many may wait: maxQueueSize, or what auto comes to.", ModelLabels);

    internal static readonly Counter Rejected = Metrics.CreateCounter("serve_rejected_total",
        "Requests refused on arrival with 503, by reason: queue_full, no_worker, failed, draining, deadline (the predicted wait exceeds it).", [.. ModelLabels, "reason"]);

    internal static readonly Counter Expired = Metrics.CreateCounter("serve_expired_total",
        "Requests whose deadline passed before the answer (504), by where they were: queue; worker, not begun, so they cost no device time; running.", [.. ModelLabels, "where"]);

    internal static readonly Counter Cancelled = Metrics.CreateCounter("serve_cancelled_total", "Requests whose client left before the answer.", ModelLabels);

    internal static readonly Counter Retries = Metrics.CreateCounter("serve_retries_total", "Requests given to another worker because theirs died.", ModelLabels);

    // ---- response cache ----

    internal static readonly Counter CacheHits = Metrics.CreateCounter("serve_response_cache_hits_total", "Requests answered with an answer that was kept.", ModelLabels);

    internal static readonly Counter CacheMisses = Metrics.CreateCounter("serve_response_cache_misses_total", "Requests that were run, because no answer was there.", ModelLabels);

    internal static readonly Counter CacheJoined = Metrics.CreateCounter("serve_response_cache_joined_total",
        "Requests answered by another one with the same input, which was under way when they came.", ModelLabels);

    internal static readonly Counter CacheEvictions = Metrics.CreateCounter("serve_response_cache_evictions_total", "Answers that had to go because others needed the room.", ModelLabels);

    internal static readonly Gauge CacheBytes = Metrics.CreateGauge("serve_response_cache_bytes", "Memory that the answers take that are kept.", ModelLabels);

    internal static readonly Gauge CacheAnswers = Metrics.CreateGauge("serve_response_cache_answers", "Answers that are kept.", ModelLabels);

    // ---- load ----

    internal static readonly Gauge BatchMean = Metrics.CreateGauge("serve_batch_cost_mean_seconds",
        "How long a batch of so many rows executes on average, as measured of late; 0: not measured yet.", [.. ModelLabels, "rows"]);

    internal static readonly Gauge BatchP99 = Metrics.CreateGauge("serve_batch_cost_p99_seconds",
        "The time that 99 of 100 batches of so many rows keep; 0: not measured yet.", [.. ModelLabels, "rows"]);

    internal static readonly Gauge Headroom = Metrics.CreateGauge("serve_headroom_ratio",
        "The share of the capacity that is not asked for: 1 - arrivals * T(M) / M / device slots, for the largest batch M. Negative: more arrives than can be served. NaN: not measured yet.", ModelLabels);

    internal static readonly Gauge Arrivals = Metrics.CreateGauge("serve_arrivals_per_second", "Rows that arrive a second, refused ones included; exponentially weighted over 10 s.", ModelLabels);

    internal static readonly Gauge BatchFill = Metrics.CreateGauge("serve_batch_fill_ratio", "The mean of the last batches as a share of batchSize.", ModelLabels);

    internal static readonly Gauge LatencyTarget = Metrics.CreateGauge("serve_latency_target_seconds",
        "How long an answer is of use: latencyTarget, else responseTimeout. A request that names no deadline has this one.", ModelLabels);

    internal static readonly Gauge PredictedWait = Metrics.CreateGauge("serve_predicted_wait_seconds", "How long a request that arrived now would wait for its answer.", ModelLabels);

    // ---- workers ----

    internal static readonly Gauge Workers = Metrics.CreateGauge("serve_workers", "Worker processes, by state: starting, loading, ready, busy, draining, stopped, failed.", [.. ModelLabels, "state"]);

    internal static readonly Gauge WorkersWanted = Metrics.CreateGauge("serve_workers_wanted", "Workers that the version was scaled to, by its configuration, by hand or by autoscale.", ModelLabels);

    internal static readonly Counter WorkerStarts = Metrics.CreateCounter("serve_worker_starts_total", "Worker processes started.", ModelLabels);

    internal static readonly Counter WorkerDeaths = Metrics.CreateCounter("serve_worker_deaths_total",
        "Workers lost, by reason: exited, connection, heartbeat, response_timeout, startup_timeout, load_failed. Not those that were asked to leave.", [.. ModelLabels, "reason"]);

    internal static readonly Counter AutoscaleSteps = Metrics.CreateCounter("serve_autoscale_steps_total",
        "Changes of the number of workers by autoscale, by reason: headroom and queue_wait (more), spare (one less), no_gain (more brought nothing, or could not be started, and were taken back).", [.. ModelLabels, "reason"]);

    internal static readonly Gauge WorkerMemory = Metrics.CreateGauge("serve_worker_memory_bytes", "Resident memory of a worker process.", [.. ModelLabels, "worker"]);

    internal static readonly Gauge WorkerDeviceMemory = Metrics.CreateGauge("serve_worker_device_memory_bytes",
        "Memory of a worker process on its GPU, where the driver tells.", [.. ModelLabels, "worker"]);

    internal static readonly Counter WorkerDeviceBusy = Metrics.CreateCounter("serve_worker_device_busy_seconds_total",
        "Time in which at least one batch executed.", [.. ModelLabels, "worker"]);

    internal static readonly Counter WorkerDeviceIdle = Metrics.CreateCounter("serve_worker_device_idle_seconds_total",
        "Time in which no batch executed, by reason: no_requests; decoding (requests were there, and all of them were being decoded or waited to be).", [.. ModelLabels, "worker", "reason"]);

    internal static readonly Counter WorkerDecodeBusy = Metrics.CreateCounter("serve_worker_decode_busy_seconds_total",
        "Time that a worker's decode threads spent decoding, of all of them together.", [.. ModelLabels, "worker"]);

    internal static readonly Counter WorkerDecodeCapacity = Metrics.CreateCounter("serve_worker_decode_capacity_seconds_total",
        "Time that a worker's decode threads had, of all of them together.", [.. ModelLabels, "worker"]);

    internal static readonly Counter WorkerEncodeBusy = Metrics.CreateCounter("serve_worker_encode_busy_seconds_total",
        "Time spent on postprocessing and writing answers.", [.. ModelLabels, "worker"]);

    internal static readonly Counter WorkerRows = Metrics.CreateCounter("serve_worker_rows_total",
        "Rows executed.", [.. ModelLabels, "worker"]);

    internal static readonly Counter WorkerCopiedRows = Metrics.CreateCounter("serve_worker_copied_rows_total",
        "Rows that had to be copied beside the others of their batch.", [.. ModelLabels, "worker"]);

    internal static readonly Counter WorkerPaddedRows = Metrics.CreateCounter("serve_worker_padded_rows_total",
        "Rows that nobody asked for, executed to fill a batch up to a size of execution.buckets; in neither serve_worker_rows_total nor serve_batch_size.", [.. ModelLabels, "worker"]);

    internal static readonly Counter WorkerAllocated = Metrics.CreateCounter("serve_worker_allocated_bytes_total",
        "Bytes allocated on the garbage-collected heap of the worker.", [.. ModelLabels, "worker"]);

    // ---- models ----

    internal static readonly Gauge ModelLoad = Metrics.CreateGauge("serve_model_load_seconds", "How long the last worker took from its start until it was ready.", ModelLabels);

    internal static readonly Gauge ModelState = Metrics.CreateGauge("serve_model_state", "1 for the state that the version is in, 0 for the others: idle, loading, ready, recovering, failed, draining.", [.. ModelLabels, "state"]);

    internal static readonly Gauge ModelInfo = Metrics.CreateGauge("serve_model_info", "Handler and device of a version; always 1.", [.. ModelLabels, "handler", "device"]);

    // ---- the server ----

    private static readonly Counter Allocated = Metrics.CreateCounter("serve_allocated_bytes_total", "Bytes allocated on the garbage-collected heap of the frontend.");

    private static readonly Gauge BuildInfo = Metrics.CreateGauge("serve_build_info", "Version of the server and of the .NET runtime that it runs on; always 1.", "version", "runtime");

    internal static readonly Counter SnapshotFailures = Metrics.CreateCounter("serve_snapshot_failures_total",
        "Snapshots of what is registered that could not be written: those changes are lost when the server restarts.");

    private static readonly Counter HttpRequests = Metrics.CreateCounter("serve_http_requests_total",
        "Requests and calls answered, by listener (inference, management, metrics, grpc_inference, grpc_management) and class of HTTP status: 2xx, 4xx, ...; a gRPC status counts as the class of the HTTP status that it stands for.", "listener", "code");

    private static readonly Counter Unauthorized = Metrics.CreateCounter("serve_unauthorized_total",
        "Requests and calls refused because they had no valid token.", "listener");

    private static readonly Gauge CertificateExpiry = Metrics.CreateGauge("serve_tls_certificate_expiry_timestamp_seconds",
        "When the certificate of an https listener ends, in Unix time.", "listener");

    private static readonly Gauge TokenExpiry = Metrics.CreateGauge("serve_token_expiry_timestamp_seconds",
        "When the first of the configured tokens of an interface (inference, management) expires, in Unix time. One that has expired counts until its line is removed; without one that expires there is no series.", "interface");

    /// <summary>When a listener's certificate ends.</summary>
    /// <param name="listener">The listener's name.</param>
    /// <param name="expires">The end of its validity.</param>
    public static void CertificateExpires(string listener, DateTimeOffset expires) => CertificateExpiry.WithLabels(listener).Set(expires.ToUnixTimeSeconds());

    /// <summary>When the first token of an interface expires.</summary>
    /// <param name="api"><c>inference</c> or <c>management</c>.</param>
    /// <param name="first">The time; null: none does.</param>
    public static void TokensExpire(string api, DateTimeOffset? first)
    {
        if (first is { } time) TokenExpiry.WithLabels(api).Set(time.ToUnixTimeSeconds());
        else TokenExpiry.RemoveLabelled(api);
    }

    private static readonly Counter LogLinesDropped = Metrics.CreateCounter("serve_log_lines_dropped_total",
        "Lines of logs that were not written, because more came than could be written or the disk is full, by log: console, access, server, model.", "log");

    private static readonly Counter Traces = Metrics.CreateCounter("serve_traces_total", "Inferences that were traced: sampled, and ended.");

    internal static readonly Counter TracesLost = Metrics.CreateCounter("serve_traces_dropped_total", "Inferences that were sampled and whose spans are lost, because the collector did not take them, or not as fast as they came.");

    /// <summary>An inference that is traced has ended.</summary>
    internal static void TraceEnded() => Traces.Inc();

    /// <summary>The spans of so many are lost.</summary>
    internal static void TracesDropped(int inferences) => TracesLost.Inc(inferences);

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
