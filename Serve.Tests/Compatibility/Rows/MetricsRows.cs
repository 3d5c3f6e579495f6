using Serve.Tests.EndToEnd;

namespace Serve.Tests.Compatibility.Rows;

/// <summary>Section 3: metrics and logs.</summary>
internal static class MetricsRows
{
    private const string Names = "TorchServe's names come as a compatible set.";

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
            Row.Later("A comma after the last label, decimal points in all numbers, HELP \"Torchserve prometheus … metric with unit: …\"", Names),
        ]),
        new("3.2", "Modes",
        [
            Row.Differs("`metrics_mode=log` (default): everything into files, `/metrics` is empty", "`/metrics` has everything.", async s => Assert.NotEmpty((await s.IsAsync("X:GET /metrics", 200)).Text)),
            Row.Same("`metrics_mode=prometheus`: everything at `/metrics`", async s => Assert.Contains("serve_requests_total", (await s.IsAsync("X:GET /metrics", 200)).Text, StringComparison.Ordinal)),
            Row.Later("`metrics_mode=legacy`: only the three `ts_` counters", Names),
            Row.Not("`metrics_config`: a file that declares metrics", "Metrics are declared in code; Prometheus drops what is not wanted."),
            Row.Later("`model_metrics_auto_detect`: metrics of handlers", "With metrics of handlers."),
        ]),
        new("3.3", "Names",
        [
            Row.Later("`Requests2XX`, `Requests4XX`, `Requests5XX`", Names),
            Row.Later("`ts_inference_requests_total`", Names),
            Row.Later("`ts_inference_latency_microseconds`", Names),
            Row.Later("`ts_queue_latency_microseconds`", Names),
            Row.Later("`QueueTime`", Names),
            Row.Later("`WorkerThreadTime`", Names),
            Row.Later("`WorkerLoadTime`", Names),
            Row.Later("`CPUUtilization`, `MemoryUtilization`, `DiskUtilization`", Names),
            Row.Later("`MemoryUsed`, `MemoryAvailable`", Names),
            Row.Later("`DiskUsage`, `DiskAvailable`", Names),
            Row.Later("`GPUUtilization`, `GPUMemoryUtilization`, `GPUMemoryUsed`", Names),
            Row.Later("`HandlerTime`, `PredictionTime`", Names),
            Row.Differs("No histograms, no queue depth, no batch sizes, no rejections, no latencies by model", "All of these ([metrics.md](metrics.md)).", async s =>
            {
                var text = (await s.IsAsync("X:GET /metrics", 200)).Text;
                Assert.All((string[])["serve_request_duration_seconds_bucket", "serve_queue_requests", "serve_batch_size_bucket", "serve_rejected_total", "serve_stage_duration_seconds_bucket"], name => Assert.Contains(name, text, StringComparison.Ordinal));
            }),
            Row.Not("System metrics by a Python process each minute (`system_metrics_cmd`, `metric_time_interval`, `disable_system_metrics`)", "Figures are measured when they are asked for; the machine's own are a node exporter's."),
        ]),
        new("3.4", "Logs",
        [
            Row.Later("Lines `Name.Unit:value|#Dim:val|#hostname:h,timestamp:epoch`", Names),
            Row.Not("Workers print metrics, which the frontend parses", "They come in the frames of the worker link."),
            Row.Later("Metrics of handlers (`context.metrics.add_counter`, …)"),
            Row.Not("`access_log.log`, `ts_log.log`, `model_log.log`, …, rolled daily or at 100 MB", "The log goes to the standard output; who collects it rolls it."),
            Row.Same("Access log: `/ip:port \"POST /predictions/m HTTP/1.1\" 200 12`", Evidence.In<AccessLogTests>(nameof(AccessLogTests.Each_request_is_a_line_as_TorchServe_writes_it))),
        ]),
    ];
}
