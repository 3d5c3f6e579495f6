using Grpc.Core;
using Grpc.Net.Client;
using Serve.Frontend.OpenInference.Messages;
using Serve.Tests.Worker;

namespace Serve.Tests.EndToEnd.OpenInference;

/// <summary>
/// A server for the tests of the protocol's control plane: <c>add_sub</c> (a, b of [batch, 2]; no file but the model), and
/// <c>echo</c>, which has a handler and no model.
/// </summary>
public sealed class OpenInferenceServer : IAsyncLifetime
{
    private ServerFixture? _server;
    private GrpcChannel? _channel;

    internal ServerFixture Server => _server ?? throw new InvalidOperationException("The server has not been started.");

    internal GRPCInferenceService.GRPCInferenceServiceClient Client { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await HandlerServer.StartAsync(null);
        SmallModels.SumAndDifference(Path.Combine(_server.ModelStore, "add_sub.onnx"));
        var answer = await _server.RegisterAsync("add_sub.onnx");
        Assert.True(answer.Status == System.Net.HttpStatusCode.OK, answer.Text);
        await _server.ServeAsync("echo", "EchoHandler");
        _channel = GrpcChannel.ForAddress(_server.GrpcInference);
        Client = new GRPCInferenceService.GRPCInferenceServiceClient(_channel);
    }

    public async ValueTask DisposeAsync()
    {
        _channel?.Dispose();
        if (_server is not null) await _server.DisposeAsync();
    }

    /// <summary>A request with a JSON body, or without a body.</summary>
    internal Task<Answer> PostAsync(string path, string? json = null) => Server.SendAsync(new HttpRequestMessage(HttpMethod.Post, path) { Content = json is null ? null : new StringContent(json) });

    /// <summary>The code with which a call ends.</summary>
    internal static async Task<(StatusCode Code, string Detail)> FailureAsync<T>(Func<AsyncUnaryCall<T>> call)
    {
        var error = await Assert.ThrowsAsync<RpcException>(async () => await call());
        return (error.StatusCode, error.Status.Detail);
    }
}
