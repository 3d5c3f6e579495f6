using Serve.Core.Configuration;
using Serve.Frontend.Commands;

namespace Serve.Tests.Frontend.Commands;

/// <summary><c>serve doctor --device</c>: a model's configuration on another device than its own.</summary>
public sealed class DoctorDeviceTests
{
    [Fact]
    public void Providers_of_the_other_device_do_not_come_along()
    {
        Assert.Empty(On("gpu", "cpu").Execution.Providers);
        Assert.Equal(["tensorrt", "cpu"], On("gpu", "tensorrt", "cpu").Execution.Providers);
        Assert.Equal((DeviceType.Gpu, DeviceType.Cpu), (On("gpu").DeviceType, On("cpu", "cuda").DeviceType));
        Assert.Empty(On("cpu", "cuda").Execution.Providers);
        Assert.Equal(["cpu"], On(null, "cpu").Execution.Providers);
    }

    private static ModelConfiguration On(string? device, params string[] providers) =>
        DoctorCommand.On(device, new ModelConfiguration { Execution = new ExecutionConfiguration { Providers = providers } });
}
