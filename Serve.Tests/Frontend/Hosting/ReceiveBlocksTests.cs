using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Serve.Core.Configuration;
using Serve.Core.Observability;
using Serve.Frontend.Hosting;

namespace Serve.Tests.Frontend.Hosting;

public sealed class ReceiveBlocksTests
{
    // Kestrel registers blocks of 4 KiB itself: whoever comes last counts, and a large upload costs ten times the system
    // calls if it is not us.
    [Fact]
    public async Task Kestrel_is_given_the_large_blocks_and_not_its_own()
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
                WorkerExecutable = Environment.ProcessPath,
            };
            await using var host = await ServeHost.StartAsync(configuration, NullLoggerFactory.Instance, shutdown, new LogLevelSwitch("information"));

            var pool = host.Services.GetRequiredService<IMemoryPoolFactory<byte>>().Create();
            using var block = pool.Rent();
            Assert.Equal(LargeBlockPool.BlockBytes, block.Memory.Length);
        }
        finally
        {
            store.Delete(recursive: true);
        }
    }
}
