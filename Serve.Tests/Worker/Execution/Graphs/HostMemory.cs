using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Serve.Worker.Execution.Graphs;

namespace Serve.Tests.Worker.Execution.Graphs;

/// <summary>The machine's own memory in place of a GPU's. Copies are made when they are waited for, as a GPU's may be.</summary>
internal sealed unsafe class HostMemory : IDeviceMemory
{
    private readonly List<nint> _allocated = [];
    private readonly List<(nint Target, nint Source, long Bytes)> _begun = [];

    public OrtMemoryInfo Info => OrtMemoryInfo.DefaultInstance;

    public int Allocations => _allocated.Count;

    public long BytesIn { get; private set; }

    public long BytesOut { get; private set; }

    public bool IsDisposed { get; private set; }

    public nint Allocate(long bytes)
    {
        // What memory holds at first nobody knows.
        var address = (nint)NativeMemory.AlignedAlloc((nuint)bytes, 64);
        new Span<byte>((void*)address, checked((int)bytes)).Fill(0xFF);
        _allocated.Add(address);
        return address;
    }

    public void CopyIn(nint device, nint host, long bytes)
    {
        BytesIn += bytes;
        _begun.Add((device, host, bytes));
    }

    public void CopyOut(nint host, nint device, long bytes)
    {
        BytesOut += bytes;
        _begun.Add((host, device, bytes));
    }

    public void Wait()
    {
        foreach (var (target, source, bytes) in _begun) Buffer.MemoryCopy((void*)source, (void*)target, bytes, bytes);
        _begun.Clear();
    }

    public void Dispose()
    {
        IsDisposed = true;
        foreach (var address in _allocated) NativeMemory.AlignedFree((void*)address);
        _allocated.Clear();
    }
}
