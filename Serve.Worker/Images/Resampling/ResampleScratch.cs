namespace Serve.Worker.Images.Resampling;

/// <summary>Memory that a thread keeps between pictures. Pinned, so that pointers into it hold. Not for sharing.</summary>
internal sealed unsafe class ResampleScratch
{
    /// <summary>A buffer that one unusual picture made larger is given back after it.</summary>
    private const int KeptBytes = 4 << 20;

    private byte[] _ring = [];
    private byte[] _line = [];
    private byte[] _tail = [];
    private byte[] _tensorRow = [];

    /// <summary>Rows that are filtered along x and wait for the other axis.</summary>
    public byte* Ring(long bytes) => Grow(ref _ring, bytes);

    /// <summary>Source rows in another form, such as grey.</summary>
    public byte* Line(long bytes) => Grow(ref _line, bytes);

    /// <summary>Ends of two source rows, with slack after them.</summary>
    public byte* Tail(long bytes) => Grow(ref _tail, bytes);

    /// <summary>One finished row before it is written into the tensor.</summary>
    public byte* TensorRow(long bytes) => Grow(ref _tensorRow, bytes);

    /// <summary>Drops what is larger than worth keeping.</summary>
    public void Trim()
    {
        Trim(ref _ring);
        Trim(ref _line);
        Trim(ref _tail);
        Trim(ref _tensorRow);
    }

    private static byte* Grow(ref byte[] buffer, long bytes)
    {
        if (buffer.Length < bytes)
            buffer = GC.AllocateUninitializedArray<byte>(checked((int)Math.Max(bytes, 4096)), pinned: true);
        return (byte*)System.Runtime.CompilerServices.Unsafe.AsPointer(ref System.Runtime.InteropServices.MemoryMarshal.GetArrayDataReference(buffer));
    }

    private static void Trim(ref byte[] buffer)
    {
        if (buffer.Length > KeptBytes)
            buffer = [];
    }
}
