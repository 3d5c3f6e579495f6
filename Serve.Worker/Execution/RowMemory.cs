using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Serve.Worker.Execution;

/// <summary>
/// Memory that decode threads write, ONNX Runtime reads and fills, and answers are read from: never moved, never cleared. Of
/// a session on CUDA it is page-locked, so that the device copies it by itself, beside the computing.
/// </summary>
internal sealed unsafe class RowMemory : IDisposable
{
    // A cache line, and what AVX-512 loads like best.
    private const nuint AlignmentBytes = 64;

    private readonly OrtValue? _pinned;
    private void* _aligned;

    private RowMemory(nint address, OrtMemoryInfo info, OrtValue? pinned)
    {
        Address = address;
        Info = info;
        _pinned = pinned;
        if (pinned is null) _aligned = (void*)address;
    }

    public nint Address { get; }

    /// <summary>What ONNX Runtime is told of it.</summary>
    public OrtMemoryInfo Info { get; }

    /// <summary>Ordinary memory. Pages that nobody touches take no room.</summary>
    public static RowMemory Allocate(long bytes) =>
        new((nint)NativeMemory.AlignedAlloc((nuint)Math.Max(bytes, 1), AlignmentBytes), OrtMemoryInfo.DefaultInstance, null);

    /// <summary>Ordinary memory, cleared.</summary>
    public static RowMemory AllocateZeros(long bytes)
    {
        var memory = Allocate(bytes);
        NativeMemory.Clear((void*)memory.Address, (nuint)bytes);
        return memory;
    }

    /// <summary>Page-locked memory of a session's CUDA provider.</summary>
    /// <returns>Null when there is not so much: page-locked memory ends before the machine's does.</returns>
    public static RowMemory? TryAllocatePinned(OrtAllocator allocator, OrtMemoryInfo info, long bytes)
    {
        try
        {
            var value = OrtValue.CreateAllocatedTensorValue(allocator, TensorElementType.UInt8, [Math.Max(bytes, 1)]);
            fixed (byte* address = value.GetTensorMutableRawData()) return new RowMemory((nint)address, info, value);
        }
        catch (OnnxRuntimeException)
        {
            return null;
        }
    }

    public void Dispose()
    {
        _pinned?.Dispose();
        NativeMemory.AlignedFree(_aligned);
        _aligned = null;
    }
}
