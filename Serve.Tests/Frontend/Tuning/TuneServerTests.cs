using Serve.Frontend.Tuning;

namespace Serve.Tests.Frontend.Tuning;

public sealed class TuneServerTests
{
    [Fact]
    public void The_servers_settings_of_this_user_are_not_those_of_the_tuners_server()
    {
        var environment = new Dictionary<string, string?>
        {
            ["PATH"] = "/bin",
            ["DOTNET_gcServer"] = "1",
            ["SERVE_ENABLE_MODEL_API"] = "false",
            ["SERVE_LOGGING_FOLDER"] = "/var/log/serve",
            ["SERVE_TRACING_ENDPOINT"] = "http://collector:4317",
            ["SERVE_ACCESS_LOG"] = "true",
            ["SERVE_MANAGEMENT_TOKENS"] = "env:X",
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://collector:4317",
            ["SERVE_WORKER_EXECUTABLE"] = "/opt/worker",
            ["SERVE_CACHE_FOLDER"] = "/var/cache/serve",
            ["SERVE_CACHE_SIZE"] = "1GiB",
            ["SERVE_FAST_PATH"] = "pool",
        };

        TuneServer.RemoveSettings(environment);

        Assert.Equal(["DOTNET_gcServer", "PATH", "SERVE_CACHE_FOLDER", "SERVE_CACHE_SIZE", "SERVE_FAST_PATH", "SERVE_WORKER_EXECUTABLE"], environment.Keys.Order(StringComparer.Ordinal));
    }
}
