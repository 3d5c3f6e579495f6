namespace Serve.Worker.Pipeline;

/// <summary>The device takes no more work from this process: another one must take its place.</summary>
/// <param name="cause">What the device said.</param>
internal sealed class DeviceLostException(Exception cause) : Exception("The device takes no more work from this process, so it leaves.", cause);
