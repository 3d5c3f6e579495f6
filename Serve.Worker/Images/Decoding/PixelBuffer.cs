using System.Runtime.InteropServices;

namespace Serve.Worker.Images.Decoding;

/// <summary>
/// Memory outside the managed heap that a decoder reuses from picture to picture: fresh pages cost more than decoding small pictures.
/// Not for sharing between threads at one time.
/// </summary>
internal sealed unsafe class PixelBuffer
{
    /// <summary>A buffer that one unusual picture made larger is given back after it.</summary>
    private const long KeptBytes = 16 << 20;

    private byte* _start;
    private long _bytes;

    ~PixelBuffer() => NativeMemory.Free(_start);

    /// <summary>Memory of at least that size, with undefined content. What was there before is gone.</summary>
    /// <exception cref="OutOfMemoryException">The machine does not have it.</exception>
    public byte* Reserve(long bytes)
    {
        if (bytes <= _bytes)
            return _start;

        Release();
        _start = (byte*)NativeMemory.Alloc((nuint)Math.Max(bytes, 4096));
        _bytes = Math.Max(bytes, 4096);
        return _start;
    }

    /// <summary>Gives back what is larger than worth keeping.</summary>
    public void Trim()
    {
        if (_bytes > KeptBytes)
            Release();
    }

    private void Release()
    {
        NativeMemory.Free(_start);
        _start = null;
        _bytes = 0;
    }
}
