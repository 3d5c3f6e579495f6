using Microsoft.ML.OnnxRuntime;

namespace Serve.Worker.Execution.Graphs;

/// <summary>Memory of a device, and copies to and from it: a GPU's, or in tests the machine's own.</summary>
internal interface IDeviceMemory : IDisposable
{
    /// <summary>What ONNX Runtime is told of it.</summary>
    OrtMemoryInfo Info { get; }

    /// <summary>Memory that stays where it is until all of it is freed with this object.</summary>
    /// <exception cref="Serve.Core.Errors.OutOfResourcesException">There is not so much.</exception>
    nint Allocate(long bytes);

    /// <summary>Begins a copy to the device.</summary>
    void CopyIn(nint device, nint host, long bytes);

    /// <summary>Begins a copy from the device.</summary>
    void CopyOut(nint host, nint device, long bytes);

    /// <summary>Waits until all copies are done.</summary>
    void Wait();
}
