using Microsoft.Extensions.Logging.Abstractions;
using Serve.Core.Configuration;
using Serve.Core.Observability;
using Serve.Frontend.Commands;
using Serve.Frontend.Commands.Top;
using Serve.Frontend.Hosting;

namespace Serve.Tests.Frontend.Commands.Top;

public sealed class OverviewReaderTests
{
    [Fact]
    public async Task A_server_that_was_gone_is_found_again()
    {
        using var store = new TemporaryFolder();
        using var shutdown = new Shutdown();
        using var later = new Shutdown();
        var told = new List<string?>();
        var first = await StartAsync(store, shutdown, "http://127.0.0.1:0");
        var address = first.Management.Url;
        using var client = new ServerClient(address, address, ClientCredentials.None);
        await using var overviews = new OverviewReader(client, told.Add).ReadAsync(TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        Assert.True(await overviews.MoveNextAsync());
        Assert.Equal([null], told);

        await first.DisposeAsync();
        var next = overviews.MoveNextAsync().AsTask();
        await EndToEnd.Eventually.HoldsAsync("it is told that the server is gone", () => told.Count > 1);
        await using var second = await StartAsync(store, later, address);

        // What came before the end is read first.
        while (told[^1] is not null)
        {
            Assert.True(await next);
            next = overviews.MoveNextAsync().AsTask();
        }

        Assert.True(await next);
        Assert.Contains($"The server at {address} has ended the connection.", told);
    }

    [Fact]
    public async Task A_server_that_was_never_there_is_an_error()
    {
        using var client = new ServerClient("http://127.0.0.1:1", "http://127.0.0.1:1", ClientCredentials.None);
        var error = await Assert.ThrowsAsync<CommandException>(async () =>
        {
            await foreach (var _ in new OverviewReader(client, _ => { }).ReadAsync(TestContext.Current.CancellationToken))
            {
            }
        });
        Assert.Equal(ExitCode.Unreachable, error.ExitCode);
    }

    private static Task<ServeHost> StartAsync(TemporaryFolder store, Shutdown shutdown, string address) => ServeHost.StartAsync(
        new ServerConfiguration
        {
            InferenceAddress = "http://127.0.0.1:0",
            ManagementAddress = address,
            MetricsAddress = "http://127.0.0.1:0",
            GrpcInferenceAddress = "http://127.0.0.1:0",
            GrpcManagementAddress = "http://127.0.0.1:0",
            ModelStore = store.Path,
            LoadModels = ["none"],
            Snapshots = false,
            WorkerExecutable = Environment.ProcessPath,
        },
        NullLoggerFactory.Instance,
        shutdown,
        new LogLevelSwitch("information"));
}
