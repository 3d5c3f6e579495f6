using Serve.Core.Devices;

namespace Serve.Tests.Core.Devices;

public sealed class VisibleDevicesTests
{
    private static readonly string[] Uuids = ["GPU-aa11", "GPU-aa22", "GPU-bb33"];

    [Theory]
    [InlineData(null, new[] { 0, 1, 2 })]
    [InlineData("", new int[0])]
    [InlineData("2,0", new[] { 2, 0 })]
    [InlineData(" 1 , 2", new[] { 1, 2 })]
    [InlineData("0,-1,2", new[] { 0 })]
    [InlineData("0,7,1", new[] { 0 })]
    [InlineData("1,1,2", new[] { 1 })]
    [InlineData("GPU-bb,GPU-aa22", new[] { 2, 1 })]
    [InlineData("GPU-aa,0", new int[0])]
    [InlineData("MIG-GPU-aa11/1/0", new int[0])]
    public void Devices_are_numbered_as_CUDA_numbers_them(string? variable, int[] order) =>
        Assert.Equal(order, VisibleDevices.Order(variable, Uuids));
}
