using System.Runtime.InteropServices;

namespace Serve.Worker.Execution;

/// <summary>
/// Memory outside the garbage-collected heap that grows and never moves, so that ONNX Runtime can read it without pinning.
/// One owner, one thread at a time.
/// </summary>
internal sealed unsafe class NativeBuffer : IDisposable
{
    // A cache line, and what AVX-512 loads like best.
    private const nuint AlignmentBytes = 64;

    private void* _memory;

    public int CapacityBytes { get; private set; }

    public nint Address => (nint)_memory;

    /// <summary>Makes room for <paramref name="bytes"/>; what was there is lost when the buffer has to grow.</summary>
    public Span<byte> Reserve(int bytes)
    {
        if (bytes > CapacityBytes || _memory == null)
        {
            var capacity = Math.Max(bytes, (int)Math.Min(CapacityBytes * 2L, bytes + (1L << 20)));
            capacity = Math.Max(capacity, (int)AlignmentBytes);
            Dispose();
            _memory = NativeMemory.AlignedAlloc((nuint)capacity, AlignmentBytes);
            CapacityBytes = capacity;
        }

        return new Span<byte>(_memory, bytes);
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_memory);
        _memory = null;
        CapacityBytes = 0;
    }
}
