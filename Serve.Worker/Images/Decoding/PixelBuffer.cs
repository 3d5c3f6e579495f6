using System.Runtime.InteropServices;

namespace Serve.Worker.Images.Decoding;

/// <summary>
/// Memory outside the managed heap that a decoder reuses from picture to picture: fresh pages cost more than decoding small pictures.
/// Not for sharing between threads at one time.
/// </summary>
internal sealed unsafe class PixelBuffer
{
    /// <summary>What is kept for good.</summary>
    private const long KeptBytes = 16 << 20;

    /// <summary>What is kept while pictures need it: up to 21 megapixels. The fresh pages of a photo of 12 cost three times its decoding.</summary>
    private const long KeptInUseBytes = 64 << 20;

    /// <summary>After so many pictures that did not need it, it is not in use.</summary>
    private const int PicturesUntilUnused = 32;

    private byte* _start;
    private long _bytes;
    private long _largestRequest;
    private int _picturesWithoutNeed;

    ~PixelBuffer() => NativeMemory.Free(_start);

    /// <summary>Memory of at least that size, with undefined content. What was there before is gone.</summary>
    /// <exception cref="OutOfMemoryException">The machine does not have it.</exception>
    public byte* Reserve(long bytes)
    {
        _largestRequest = Math.Max(_largestRequest, bytes);
        if (bytes <= _bytes)
            return _start;

        Release();
        _start = (byte*)NativeMemory.Alloc((nuint)Math.Max(bytes, 4096));
        _bytes = Math.Max(bytes, 4096);
        return _start;
    }

    /// <summary>After each picture: gives back what is larger than worth keeping.</summary>
    public void Trim()
    {
        _picturesWithoutNeed = _largestRequest > KeptBytes ? 0 : _picturesWithoutNeed + 1;
        _largestRequest = 0;
        if (_bytes > KeptInUseBytes || (_bytes > KeptBytes && _picturesWithoutNeed >= PicturesUntilUnused))
            Release();
    }

    /// <summary>How much is held.</summary>
    public long SizeBytes => _bytes;

    private void Release()
    {
        NativeMemory.Free(_start);
        _start = null;
        _bytes = 0;
    }
}
