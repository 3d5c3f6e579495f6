namespace Serve.Core.Devices;

/// <summary>Asks the drivers of this machine's GPUs.</summary>
public interface IDeviceProbe
{
    /// <summary>Every GPU that workers can use, in the order of their indices; none where there is no driver.</summary>
    IReadOnlyList<DeviceReading> Read();
}
