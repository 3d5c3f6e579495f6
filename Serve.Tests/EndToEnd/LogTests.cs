using System.Net;

namespace Serve.Tests.EndToEnd;

/// <summary>The logs of a real server, in files.</summary>
public sealed class LogTests(ITestOutputHelper output) : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("serve-logs-").FullName;

    [Fact]
    public async Task TorchServes_files_have_its_lines_and_a_full_disk_stops_nothing()
    {
        var isLinux = OperatingSystem.IsLinux();
        if (isLinux) File.CreateSymbolicLink(Path.Combine(_folder, "model_log.log"), "/dev/full");
        await using var server = await HandlerServer.StartAsync(output, "--access-log", "true", "--logging-folder", _folder, "--logging-access-format", "torchserve");
        await server.ServeAsync("logged", "EchoHandler");
        var secret = "https%3A%2F%2Fexample.com%2Fx.mar%3FX-Signature%3Dvery-secret";
        await server.ManageAsync(HttpMethod.Post, $"/models?url={secret}");
        Assert.Equal(HttpStatusCode.OK, (await server.PredictAsync("logged", "x"u8.ToArray())).Status);

        var access = await BecomesAsync("access_log", text => text.Contains("/predictions/logged", StringComparison.Ordinal));
        Assert.Matches("(?m)^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2},\\d{3} - /127\\.0\\.0\\.1:\\d+ \"POST /predictions/logged HTTP/1\\.1\" 200 \\d+$", access);
        Assert.DoesNotContain("very-secret", access, StringComparison.Ordinal);
        await BecomesAsync("ts_log", text => text.Contains("Listening: inference", StringComparison.Ordinal) && text.Contains("-> Ready", StringComparison.Ordinal));
        Assert.DoesNotContain(server.Log, line => line.Contains("POST /predictions", StringComparison.Ordinal));
        if (!isLinux) return;

        await server.WaitForLogAsync(line => line.Contains("model_log.log cannot be written", StringComparison.Ordinal));
        await Eventually.BecomesAsync("lost lines are counted", () => server.MetricAsync("serve_log_lines_dropped_total{log=\"model\"}"), lost => lost > 0);
        Assert.Equal(HttpStatusCode.OK, (await server.PredictAsync("logged", "x"u8.ToArray())).Status);

        File.Delete(Path.Combine(_folder, "model_log.log"));
        await server.ScaleAsync("logged", 2);
        await BecomesAsync("model_log", text => text.Contains("worker 9", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_level_changes_at_run_time_and_lines_are_json_where_asked_for()
    {
        await using var server = await HandlerServer.StartAsync(output, "--logging-format", "json", "--access-log", "true");
        Assert.Equal("information", await LevelAsync(HttpMethod.Get, "/logging"));
        Assert.Equal("error", await LevelAsync(HttpMethod.Put, "/logging?level=error"));
        await server.GetAsync("/ping");

        // A line is written after the answer; on the same connection, the next answer comes after that.
        await server.GetAsync("/livez");
        Assert.Equal("information", await LevelAsync(HttpMethod.Put, "/logging?level=information"));
        await server.GetAsync("/nowhere");
        await server.WaitForLogAsync(line => line.StartsWith("{\"time\":", StringComparison.Ordinal) && line.Contains("\"target\":\"/nowhere\",\"protocol\":\"HTTP/1.1\",\"status\":404", StringComparison.Ordinal));
        Assert.DoesNotContain(server.Log, line => line.Contains("/ping", StringComparison.Ordinal));

        var wrong = await server.ManageAsync(HttpMethod.Put, "/logging?level=loud");
        Assert.Equal((HttpStatusCode.BadRequest, "Parameter level must be one of trace, debug, information, warning, error, not \"loud\"."), (wrong.Status, wrong.Error.Message));
        Assert.Equal(HttpStatusCode.BadRequest, (await server.ManageAsync(HttpMethod.Put, "/logging")).Status);

        async Task<string?> LevelAsync(HttpMethod method, string path) => (await server.ManageAsync(method, path)).Json.GetProperty("level").GetString();
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private Task<string> BecomesAsync(string log, Func<string, bool> isRight)
    {
        var path = Path.Combine(_folder, log + ".log");
        return Eventually.BecomesAsync($"{log} has its lines", () => File.Exists(path) ? File.ReadAllTextAsync(path) : Task.FromResult(""), isRight);
    }
}
