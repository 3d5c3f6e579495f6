using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Serve.Core.Errors;

namespace Serve.Worker.Execution.Graphs;

/// <summary>
/// Memory of a GPU by CUDA's runtime library, which ONNX Runtime's CUDA provider loads too. Copies go through the default
/// stream; ONNX Runtime's own does not wait for it, so they are waited for. One thread.
/// </summary>
internal sealed unsafe class CudaMemory : IDeviceMemory
{
    private const int HostToDevice = 1;
    private const int DeviceToHost = 2;
    private const int OutOfMemory = 2;

    // The version that this build's ONNX Runtime is made for first.
    private static readonly string[] Names = OperatingSystem.IsWindows() ? ["cudart64_13.dll", "cudart64_12.dll"] : ["libcudart.so.13", "libcudart.so.12", "libcudart.so"];

    private readonly delegate* unmanaged<nint*, nuint, int> _allocate;
    private readonly delegate* unmanaged<nint, int> _free;
    private readonly delegate* unmanaged<nint, nint, nuint, int, nint, int> _copy;
    private readonly delegate* unmanaged<nint, int> _wait;
    private readonly delegate* unmanaged<int, nint> _describe;
    private readonly List<nint> _allocated = [];

    private CudaMemory(nint library, int device)
    {
        _allocate = (delegate* unmanaged<nint*, nuint, int>)NativeLibrary.GetExport(library, "cudaMalloc");
        _free = (delegate* unmanaged<nint, int>)NativeLibrary.GetExport(library, "cudaFree");
        _copy = (delegate* unmanaged<nint, nint, nuint, int, nint, int>)NativeLibrary.GetExport(library, "cudaMemcpyAsync");
        _wait = (delegate* unmanaged<nint, int>)NativeLibrary.GetExport(library, "cudaStreamSynchronize");
        _describe = (delegate* unmanaged<int, nint>)NativeLibrary.GetExport(library, "cudaGetErrorString");
        Check(((delegate* unmanaged<int, int>)NativeLibrary.GetExport(library, "cudaSetDevice"))(device), "the device cannot be used");
        Info = new OrtMemoryInfo(OrtMemoryInfo.allocatorCUDA, OrtAllocatorType.DeviceAllocator, device, OrtMemType.Default);
    }

    public OrtMemoryInfo Info { get; }

    /// <summary>Memory of a GPU, for the calling thread.</summary>
    /// <param name="device">Its index.</param>
    /// <exception cref="InvalidModelException">CUDA's runtime library is not there.</exception>
    public static CudaMemory Open(int device)
    {
        foreach (var name in Names)
        {
            if (NativeLibrary.TryLoad(name, typeof(CudaMemory).Assembly, null, out var library)) return new CudaMemory(library, device);
        }

        throw new InvalidModelException($"cudaGraphs is true, but CUDA's runtime library is not on the loader's path ({string.Join(", ", Names)}); install it, or set execution.cudaGraphs: false.");
    }

    public nint Allocate(long bytes)
    {
        nint address;
        var status = _allocate(&address, (nuint)bytes);
        if (status == OutOfMemory) throw new OutOfResourcesException(string.Create(CultureInfo.InvariantCulture, $"The GPU's memory does not suffice for the inputs and outputs of CUDA graphs: {bytes} bytes more."));
        Check(status, "memory cannot be had");
        _allocated.Add(address);
        return address;
    }

    public void CopyIn(nint device, nint host, long bytes) => Check(_copy(device, host, (nuint)bytes, HostToDevice, 0), "inputs cannot be copied");

    public void CopyOut(nint host, nint device, long bytes) => Check(_copy(host, device, (nuint)bytes, DeviceToHost, 0), "outputs cannot be copied");

    public void Wait() => Check(_wait(0), "a copy failed");

    public void Dispose()
    {
        foreach (var address in _allocated) _ = _free(address);
        _allocated.Clear();
        Info.Dispose();
    }

    private void Check(int status, string what)
    {
        if (status != 0) throw new InternalServerException(string.Create(CultureInfo.InvariantCulture, $"CUDA failure {status}: {Marshal.PtrToStringUTF8(_describe(status))}; {what}"));
    }
}
