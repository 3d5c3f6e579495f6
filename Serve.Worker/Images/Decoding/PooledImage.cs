namespace Serve.Worker.Images.Decoding;

/// <summary>
/// A decoded picture in reused memory: each thread keeps one between pictures, so that decoding allocates nothing.
/// Whoever rents it owns it and its buffers until disposal; then the disposing thread keeps it.
/// </summary>
internal sealed unsafe class PooledImage : IDecodedImage
{
    [ThreadStatic]
    private static PooledImage? _free;

    private byte* _rows;
    private nint _stride;
    private bool _isRented;

    private PooledImage()
    {
    }

    public int Width { get; private set; }

    public int Height { get; private set; }

    /// <summary>For the rows that <see cref="Show"/> points at.</summary>
    public PixelBuffer Pixels { get; } = new();

    /// <summary>For what a decoder needs on the way; rows may stay in it too.</summary>
    public PixelBuffer Intermediate { get; } = new();

    public static PooledImage Rent()
    {
        var image = _free ?? new PooledImage();
        _free = null;
        image._isRented = true;
        return image;
    }

    /// <summary>Says where in one of the buffers the rows stand.</summary>
    public void Show(byte* rows, nint stride, int width, int height)
    {
        _rows = rows;
        (_stride, Width, Height) = (stride, width, height);
    }

    public ReadOnlySpan<byte> Row(int y)
    {
        ObjectDisposedException.ThrowIf(!_isRented, this);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)y, (uint)Height);
        return new ReadOnlySpan<byte>(_rows + (y * _stride), 3 * Width);
    }

    public void Dispose()
    {
        if (!_isRented)
            return;
        _isRented = false;
        Show(null, 0, 0, 0);
        Pixels.Trim();
        Intermediate.Trim();
        _free ??= this;
    }
}
