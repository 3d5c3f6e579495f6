using Microsoft.ML.OnnxRuntime;

namespace Serve.Worker.Execution;

/// <summary>Page-locked memory of a session on CUDA, which the device reads and writes by itself.</summary>
internal sealed class PinnedMemory : IDisposable
{
    private readonly OrtMemoryInfo _info;
    private readonly OrtAllocator _allocator;

    /// <exception cref="OnnxRuntimeException">The session has no such allocator.</exception>
    public PinnedMemory(InferenceSession session, int device)
    {
        _info = new OrtMemoryInfo(OrtMemoryInfo.allocatorCUDA_PINNED, OrtAllocatorType.DeviceAllocator, device, OrtMemType.CpuOutput);
        try
        {
            _allocator = new OrtAllocator(session, _info);
        }
        catch
        {
            _info.Dispose();
            throw;
        }
    }

    /// <returns>Null when there is not so much.</returns>
    public RowMemory? TryAllocate(long bytes) => RowMemory.TryAllocatePinned(_allocator, _info, bytes);

    public void Dispose()
    {
        _allocator.Dispose();
        _info.Dispose();
    }
}
