using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Serve.Core.Configuration;
using Serve.Core.Observability;
using Serve.Frontend.Hosting;
using Serve.Frontend.Hosting.Http2;
using Serve.Frontend.OpenInference.Messages;

namespace Serve.Tests.Frontend.Hosting;

public sealed class ReceiveBlocksTests
{
    // Kestrel registers blocks of 4 KiB itself: whoever comes last counts, and a large upload costs ten times the system
    // calls if it is not us.
    [Fact]
    public Task Kestrel_is_given_the_large_blocks_and_not_its_own() => WithHostAsync(static host =>
    {
        var pool = host.Services.GetRequiredService<IMemoryPoolFactory<byte>>().Create();
        using var block = pool.Rent();
        Assert.Equal(LargeBlockPool.BlockBytes, block.Memory.Length);
        return Task.CompletedTask;
    });

    // Everything works without it too, and costs more.
    [Fact]
    public Task Bodies_over_gRPC_go_past_Kestrel() => WithHostAsync(static async host =>
    {
        var taken = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        host.GrpcInference.Pipeline = async context =>
        {
            var body = StreamBodies.Take(context);
            taken.SetResult(body is not null);
            if (body is not null) await body.EndAsync();
        };
        using var channel = GrpcChannel.ForAddress(host.GrpcInference.Url);
        var large = new ModelInferRequest { ModelName = "m", RawInputContents = { ByteString.CopyFrom(new byte[100_000]) } };
        await Assert.ThrowsAsync<RpcException>(async () => await new GRPCInferenceService.GRPCInferenceServiceClient(channel).ModelInferAsync(large));
        Assert.True(await taken.Task);
    });

    // Likewise. Kestrel has no option for it: a version that it has moved in is to be noticed here, by what calls a request. The
    // first one of a connection is what the others learn it from.
    [Theory]
    [InlineData("inline", true)]
    [InlineData("pool", false)]
    public Task Calls_over_gRPC_run_where_they_were_received(string fastPath, bool isInline) => WithHostAsync(
        async host =>
        {
            var callers = new List<bool>();
            var answer = host.GrpcInference.Pipeline!;
            host.GrpcInference.Pipeline = context =>
            {
                callers.Add(Environment.StackTrace.Contains("Http2Connection", StringComparison.Ordinal));
                return answer(context);
            };
            using var channel = GrpcChannel.ForAddress(host.GrpcInference.Url);
            var client = new GRPCInferenceService.GRPCInferenceServiceClient(channel);
            for (var i = 0; i < 2; i++) await Assert.ThrowsAsync<RpcException>(async () => await client.ModelInferAsync(new ModelInferRequest()));
            Assert.Equal([false, isInline], callers);
        },
        fastPath);

    private static async Task WithHostAsync(Func<ServeHost, Task> test, string fastPath = "inline")
    {
        var store = Directory.CreateTempSubdirectory("serve-test-");
        try
        {
            using var shutdown = new Shutdown();
            var configuration = new ServerConfiguration
            {
                InferenceAddress = "http://127.0.0.1:0",
                ManagementAddress = "http://127.0.0.1:0",
                MetricsAddress = "http://127.0.0.1:0",
                GrpcInferenceAddress = "http://127.0.0.1:0",
                GrpcManagementAddress = "http://127.0.0.1:0",
                ModelStore = store.FullName,
                LoadModels = ["none"],
                FastPath = fastPath,
                WorkerExecutable = Environment.ProcessPath,
            };
            await using var host = await ServeHost.StartAsync(configuration, NullLoggerFactory.Instance, shutdown, new LogLevelSwitch("information"));
            await test(host);
        }
        finally
        {
            store.Delete(recursive: true);
        }
    }
}
