namespace Serve.Worker.Images.Decoding;

/// <summary>The rows of a decoded picture; disposing returns their memory to the decoder's pool.</summary>
internal interface IDecodedImage : IDisposable
{
    int Width { get; }

    int Height { get; }

    /// <summary>Row <paramref name="y"/> from the top: three bytes, red, green, blue, for each pixel. Valid until disposal; nothing behind its end may be read.</summary>
    ReadOnlySpan<byte> Row(int y);
}
