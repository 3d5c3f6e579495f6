using Serve.Tests.EndToEnd;

namespace Serve.Tests.Compatibility.Rows;

/// <summary>Section 3: metrics and logs.</summary>
internal static class MetricsRows
{
    private const string Means = "The mean since the scrape before, instead of the last request's.";

    public static IEnumerable<Section> All =>
    [
        new("3.1", "The endpoint",
        [
            Row.Same("`GET /metrics` on 8082: Prometheus text 0.0.4", async s =>
            {
                var answer = await s.IsAsync("X:GET /metrics", 200);
                Assert.StartsWith("text/plain; version=0.0.4", answer.Headers["Content-Type"], StringComparison.Ordinal);
                Assert.Contains("# TYPE serve_workers gauge", answer.Text, StringComparison.Ordinal);
            }),
            Row.Same("`name[]`, also several times, keeps those metrics", async s =>
            {
                var text = (await s.IsAsync("X:GET /metrics?name[]=serve_workers&name[]=serve_batch_size", 200)).Text;
                Assert.All(text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => line[0] != '#'), line => Assert.Matches("^serve_(workers|batch_size)", line));
                Assert.NotEmpty(text);
            }),
            Row.Same("Unknown names: an empty body", async s => Assert.Equal("", (await s.IsAsync("X:GET /metrics?name[]=none", 200)).Text)),
            Row.Not("`enable_metrics_api=false` removes it", "It has a listener of its own, on loopback by default; a firewall or its address decides who sees it."),
            Row.Same("`OPTIONS /`: OpenAPI", async s => Assert.True((await s.JsonAsync("X:OPTIONS /")).GetProperty("paths").TryGetProperty("/metrics", out _))),
            Row.Same("No token is needed", Evidence.In<TokenTests>(nameof(TokenTests.Metrics_need_no_token_and_count_those_who_had_none))),
            Row.Same("A comma after the last label, decimal points in all numbers, HELP \"Torchserve prometheus … metric with unit: …\"", async s =>
            {
                await s.IsAsync("POST /predictions/echo", 200, body: "x");
                var text = (await s.IsAsync("X:GET /metrics?name[]=Requests2XX", 200)).Text;
                Assert.Matches("(?m)^# HELP Requests2XX Torchserve prometheus counter metric with unit: Count$", text);
                Assert.Matches("(?m)^Requests2XX\\{Level=\"Host\",Hostname=\"[^\"]+\",\\} [0-9]+\\.[0-9]+$", text);
            }, "For TorchServe's names."),
        ]),
        new("3.2", "Modes",
        [
            Row.Differs("`metrics_mode=log` (default): everything into files, `/metrics` is empty", "`/metrics` has everything.", async s => Assert.NotEmpty((await s.IsAsync("X:GET /metrics", 200)).Text)),
            Row.Same("`metrics_mode=prometheus`: everything at `/metrics`", async s => Assert.Contains("serve_requests_total", (await s.IsAsync("X:GET /metrics", 200)).Text, StringComparison.Ordinal)),
            Row.Not("`metrics_mode=legacy`: only the three `ts_` counters", "`/metrics` has everything; `name[]` takes those."),
            Row.Not("`metrics_config`: a file that declares metrics", "Metrics are declared in code; Prometheus drops what is not wanted."),
            Row.Differs("`model_metrics_auto_detect`: metrics of handlers", "Handlers declare them when they load.", Evidence.In<HandlerMetricsTests>(nameof(HandlerMetricsTests.What_a_handler_counts_is_exported_and_survives_its_worker))),
        ]),
        new("3.3", "Names",
        [
            Row.Same("`Requests2XX`, `Requests4XX`, `Requests5XX`", Evidence.In<TorchServeMetricsTests>(nameof(TorchServeMetricsTests.Requests_are_counted_by_TorchServes_names))),
            Row.Same("`ts_inference_requests_total`", Evidence.In<TorchServeMetricsTests>(nameof(TorchServeMetricsTests.Requests_are_counted_by_TorchServes_names)), "`model_version` is the one that answered, never `default`."),
            Row.Same("`ts_inference_latency_microseconds`", Evidence.In<TorchServeMetricsTests>(nameof(TorchServeMetricsTests.Requests_are_counted_by_TorchServes_names))),
            Row.Same("`ts_queue_latency_microseconds`", Evidence.In<TorchServeMetricsTests>(nameof(TorchServeMetricsTests.Requests_are_counted_by_TorchServes_names))),
            Row.Differs("`QueueTime`", Means, Evidence.In<TorchServeMetricsTests>(nameof(TorchServeMetricsTests.Requests_are_counted_by_TorchServes_names))),
            Row.Differs("`WorkerThreadTime`", Means, Evidence.In<TorchServeMetricsTests>(nameof(TorchServeMetricsTests.Requests_are_counted_by_TorchServes_names))),
            Row.Same("`WorkerLoadTime`", Evidence.In<TorchServeMetricsTests>(nameof(TorchServeMetricsTests.Requests_are_counted_by_TorchServes_names))),
            Row.Same("`CPUUtilization`, `MemoryUtilization`, `DiskUtilization`", s => HasAsync(s, "CPUUtilization", "MemoryUtilization", "DiskUtilization")),
            Row.Same("`MemoryUsed`, `MemoryAvailable`", s => HasAsync(s, "MemoryUsed", "MemoryAvailable")),
            Row.Same("`DiskUsage`, `DiskAvailable`", s => HasAsync(s, "DiskUsage", "DiskAvailable")),
            Row.Later("`GPUUtilization`, `GPUMemoryUtilization`, `GPUMemoryUsed`", "There, from NVML; not yet tried on a GPU."),
            Row.Differs("`HandlerTime`, `PredictionTime`", Means, Evidence.In<TorchServeMetricsTests>(nameof(TorchServeMetricsTests.Requests_are_counted_by_TorchServes_names))),
            Row.Differs("No histograms, no queue depth, no batch sizes, no rejections, no latencies by model", "All of these ([metrics.md](metrics.md)).", async s =>
            {
                var text = (await s.IsAsync("X:GET /metrics", 200)).Text;
                Assert.All((string[])["serve_request_duration_seconds_bucket", "serve_queue_requests", "serve_batch_size_bucket", "serve_rejected_total", "serve_stage_duration_seconds_bucket"], name => Assert.Contains(name, text, StringComparison.Ordinal));
            }),
            Row.Not("System metrics by a Python process each minute (`system_metrics_cmd`, `metric_time_interval`, `disable_system_metrics`)", "Figures are measured when they are asked for; those of the machine too."),
        ]),
        new("3.4", "Logs",
        [
            Row.Not("Lines `Name.Unit:value|#Dim:val|#hostname:h,timestamp:epoch`", "Metrics are scraped, not logged."),
            Row.Not("Workers print metrics, which the frontend parses", "They come in the frames of the worker link."),
            Row.Differs("Metrics of handlers (`context.metrics.add_counter`, …)", "`context.Metrics` of a .NET handler ([handlers.md](handlers.md#metrics-of-your-own)).", Evidence.In<HandlerMetricsTests>(nameof(HandlerMetricsTests.What_a_handler_counts_is_exported_and_survives_its_worker))),
            Row.Differs("`access_log.log`, `ts_log.log`, `model_log.log`, …, rolled daily or at 100 MB", "The same with `logging.folder`; without it the log goes to the standard output.", Evidence.In<LogTests>(nameof(LogTests.TorchServes_files_have_its_lines_and_a_full_disk_stops_nothing))),
            Row.Same("Access log: `/ip:port \"POST /predictions/m HTTP/1.1\" 200 12`", Evidence.In<AccessLogTests>(nameof(AccessLogTests.Each_request_is_a_line_as_TorchServe_writes_it)), "`logging.accessFormat: torchserve`."),
        ]),
    ];

    /// <summary>Whether figures of the machine are there and are numbers.</summary>
    private static async Task HasAsync(CompatibilityServer server, params string[] names)
    {
        var text = (await server.IsAsync($"X:GET /metrics?{string.Join('&', names.Select(name => $"name[]={name}"))}", 200)).Text;
        Assert.All(names, name => Assert.Matches($"(?m)^{name}\\{{[^}}]*\\}} [0-9]+\\.[0-9]+", text));
    }
}
