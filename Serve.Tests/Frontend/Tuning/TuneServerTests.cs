using Serve.Core.Configuration;
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

        Assert.Equal(["DOTNET_gcServer", "PATH"], environment.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Its_workers_are_those_of_the_server_for_which_it_is_tuned()
    {
        var configuration = new ServerConfiguration { WorkerExecutable = "/opt/worker", CacheFolder = "/var/cache/serve", CacheSize = 1 << 30, FastPath = "pool" };
        Assert.Equal(["--fast-path", "pool", "--cache-size", "1073741824", "--cache-folder", "/var/cache/serve", "--worker-executable", "/opt/worker"], TuneServer.Alike(configuration));
        Assert.Equal(["--fast-path", "inline", "--cache-size", "17179869184"], TuneServer.Alike(new ServerConfiguration()));
    }
}
