using Serve.Core.Configuration;
using Serve.Core.Workers;

namespace Serve.Tests.Core.Workers;

public sealed class WorkerPoolTests
{
    [Fact]
    public async Task Nobody_fills_a_pool_again_that_was_closed()
    {
        using var workers = new PlayedWorkers();
        using var test = new TestScheduler();
        var configuration = new ModelConfiguration { Handler = "test" };
        var pool = new WorkerPool("closed-pool", "1.0", workers.ModelFolder, configuration, workers.Environment, test.Tested, test.Metrics, bodies: null, workers.Log, static () => { });

        await pool.CloseAsync(configuration, TimeSpan.Zero);
        await pool.ScaleAsync(2, 2, configuration, drainLimit: null);

        Assert.Equal(0, pool.Count);
    }
}
