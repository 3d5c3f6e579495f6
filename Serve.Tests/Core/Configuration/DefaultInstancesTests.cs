using Serve.Core.Configuration;

namespace Serve.Tests.Core.Configuration;

public sealed class DefaultInstancesTests
{
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(2, 1, 2)]
    [InlineData(3, 1, 3)]
    [InlineData(4, 1, 2)]
    [InlineData(8, 1, 2)]
    [InlineData(16, 1, 4)]
    [InlineData(16, 2, 2)]
    [InlineData(2, 2, 1)]
    [InlineData(2, 0, 2)]
    [InlineData(256, 1, 16)]
    public void On_a_cpu_it_is_by_the_workers_share_of_the_processors(int processors, int workers, int instances) =>
        Assert.Equal(instances, DefaultInstances.For(new ModelConfiguration { Instances = 0, Handler = "tensor", MinWorkers = workers }, processors));

    [Fact]
    public void A_gpu_and_a_handler_of_ones_own_have_one_execution_at_once()
    {
        var plain = new ModelConfiguration { Instances = 0, Handler = "tensor" };

        Assert.Equal(1, DefaultInstances.For(plain with { DeviceType = DeviceType.Gpu }, 8));
        Assert.Equal(1, DefaultInstances.For(plain with { Execution = new ExecutionConfiguration { Providers = ["cuda", "cpu"] } }, 8));
        Assert.Equal(1, DefaultInstances.For(plain with { Handler = "Mine.dll:Mine.Handler" }, 8));
    }

    [Fact]
    public void What_the_configuration_says_holds() => Assert.Equal(5, DefaultInstances.For(new ModelConfiguration { Instances = 5 }, 2));

    [Fact]
    public void Cuda_graphs_run_one_batch_at_a_time_whatever_the_configuration_says() =>
        Assert.Equal(1, DefaultInstances.For(new ModelConfiguration { Instances = 5, DeviceType = DeviceType.Gpu, Execution = new ExecutionConfiguration { CudaGraphs = true } }, 2));
}
