using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Serve.Core.Configuration;
using Serve.Core.Observability;
using Serve.Frontend.Hosting;

namespace Serve.Tests.Frontend.Hosting;

public sealed class OptionalListenerTests : IDisposable
{
    private readonly DirectoryInfo _store = Directory.CreateTempSubdirectory("serve-test-");
    private readonly Shutdown _shutdown = new();

    [Fact]
    public async Task A_server_goes_without_grpc_when_another_program_has_the_default_addresses()
    {
        // Whoever has them, this test or another program of the machine.
        using var inference = TakeOrLeave(7070);
        using var management = TakeOrLeave(7071);

        await using var host = await ServeHost.StartAsync(Configuration(new ServerConfiguration().GrpcInferenceAddress), NullLoggerFactory.Instance, _shutdown, new LogLevelSwitch("information"));

        Assert.False(host.GrpcInference.IsBound);
        Assert.False(host.GrpcManagement.IsBound);
        using var client = new HttpClient();
        var health = await client.GetAsync($"{host.Inference.Url}/ping", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, health.StatusCode);
    }

    [Fact]
    public async Task An_address_that_was_asked_for_must_be_free()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var error = await Assert.ThrowsAsync<ListenException>(() => ServeHost.StartAsync(Configuration($"http://{taken.LocalEndpoint}"), NullLoggerFactory.Instance, _shutdown, new LogLevelSwitch("information")));
        Assert.Equal($"grpcInferenceAddress: cannot listen on http://{taken.LocalEndpoint}: another program listens there already.", error.Message);
    }

    public void Dispose()
    {
        _shutdown.Dispose();
        _store.Delete(recursive: true);
    }

    private static TcpListener? TakeOrLeave(int port)
    {
        var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return listener;
        }
        catch (SocketException)
        {
            listener.Dispose();
            return null;
        }
    }

    private ServerConfiguration Configuration(string grpcInferenceAddress) => new()
    {
        InferenceAddress = "http://127.0.0.1:0",
        ManagementAddress = "http://127.0.0.1:0",
        MetricsAddress = "http://127.0.0.1:0",
        GrpcInferenceAddress = grpcInferenceAddress,
        ModelStore = _store.FullName,
        LoadModels = ["none"],
        WorkerExecutable = Environment.ProcessPath,
    };
}
