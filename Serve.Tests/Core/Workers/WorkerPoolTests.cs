using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Serve.Core.Configuration;
using Serve.Core.Devices;
using Serve.Core.Devices.Nvml;
using Serve.Core.Observability;
using Serve.Core.Protocol;
using Serve.Core.Workers;

namespace Serve.Tests.Core.Workers;

public sealed class WorkerPoolTests
{
    [Fact]
    public async Task Nobody_fills_a_pool_again_that_was_closed()
    {
        var time = new FakeTimeProvider();
        var configuration = new ModelConfiguration { Handler = "test" };
        using var runtime = new TemporaryFolder();
        using var spawner = new WorkerSpawner();
        using var metrics = new ModelMetrics("closed-pool", "1.0");
        using var scheduler = new InferenceScheduler("closed-pool", configuration, completeInline: true, time, metrics, NullLogger.Instance);
        var settings = new WorkerSettings
        {
            Executable = runtime["none"],
            RuntimeFolder = runtime.Path,
            HeartbeatInterval = TimeSpan.FromSeconds(1),
            HeartbeatTimeout = TimeSpan.FromSeconds(5),
            DrainTimeout = TimeSpan.FromSeconds(30),
            CompleteInline = true,
            BodyMemory = 0,
            Cache = new CacheMessage(runtime.Path, 0),
            SecretVariables = [],
        };
        var shared = new WorkerEnvironment(settings, spawner, time, () => 1, new DeviceMonitor(new NvmlProbe(visibleDevices: null), time));
        var pool = new WorkerPool("closed-pool", "1.0", runtime.Path, configuration, shared, scheduler, metrics, bodies: null, NullLogger.Instance, static () => { });

        await pool.CloseAsync(configuration, TimeSpan.Zero);
        await pool.ScaleAsync(2, 2, configuration, drainLimit: null);

        Assert.Equal(0, pool.Count);
    }
}
