using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Serve.Management.Grpc;

namespace Serve.Tests.EndToEnd;

/// <summary>gRPC's listeners from start to stop, with settings other than the defaults.</summary>
public sealed class GrpcLifecycleTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Registering_can_be_switched_off_calls_can_be_logged_and_a_stop_ends_what_streams()
    {
        await using var server = await HandlerServer.StartAsync(output, "--enable-model-api", "false", "--access-log", "true");
        using var channel = GrpcChannel.ForAddress(server.GrpcManagement);
        var management = new ManagementAPIsService.ManagementAPIsServiceClient(channel);
        var cancellation = TestContext.Current.CancellationToken;

        var refused = await Assert.ThrowsAsync<RpcException>(async () => await management.RegisterModelAsync(new() { Url = "x" }, new Metadata { { "x-request-id", "my-17" } }, cancellationToken: cancellation));
        Assert.Equal((StatusCode.PermissionDenied, "MethodNotAllowedException"), (refused.StatusCode, refused.Trailers.GetValue("serve-error-type")));
        await server.WaitForLogAsync(line => line.Contains("\"gRPC /org.pytorch.serve.grpc.management.ManagementAPIsService/RegisterModel HTTP/2\" 7 ", StringComparison.Ordinal) && line.EndsWith(" my-17", StringComparison.Ordinal));

        using var watch = new Health.HealthClient(channel).Watch(new(), cancellationToken: cancellation);
        Assert.True(await watch.ResponseStream.MoveNext(cancellation));
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, watch.ResponseStream.Current.Status);

        var stopped = server.StopAsync();
        Assert.True(await watch.ResponseStream.MoveNext(cancellation));
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.NotServing, watch.ResponseStream.Current.Status);
        var end = await Assert.ThrowsAsync<RpcException>(async () => await watch.ResponseStream.MoveNext(cancellation));
        Assert.Equal(StatusCode.Unavailable, end.StatusCode);
        Assert.Equal(0, await stopped);
    }
}
