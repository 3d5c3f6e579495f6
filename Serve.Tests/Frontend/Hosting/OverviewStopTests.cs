using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Serve.Core.Configuration;
using Serve.Core.Observability;
using Serve.Frontend.Hosting;

namespace Serve.Tests.Frontend.Hosting;

public sealed class OverviewStopTests
{
    [Fact]
    public async Task A_stream_ends_as_it_should_when_the_server_stops()
    {
        using var folder = new TemporaryFolder();
        using var shutdown = new Shutdown();
        using var client = new HttpClient();
        var configuration = new ServerConfiguration
        {
            InferenceAddress = "http://127.0.0.1:0",
            ManagementAddress = "http://127.0.0.1:0",
            MetricsAddress = "http://127.0.0.1:0",
            GrpcInferenceAddress = "http://127.0.0.1:0",
            GrpcManagementAddress = "http://127.0.0.1:0",
            ModelStore = folder.Path,
            LoadModels = ["none"],
            Snapshots = false,
            WorkerExecutable = Environment.ProcessPath,
        };
        var host = await ServeHost.StartAsync(configuration, NullLoggerFactory.Instance, shutdown, new LogLevelSwitch("information"));
        using var answer = await client.GetAsync($"{host.Management.Url}/overview?stream=true", HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var stream = answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);

        await host.DisposeAsync();

        Assert.StartsWith("data: {", await stream, StringComparison.Ordinal);
    }
}
