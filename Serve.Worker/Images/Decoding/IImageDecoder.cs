using Serve.Worker.Images.Formats;

namespace Serve.Worker.Images.Decoding;

/// <summary>
/// Encoded bytes in, rows of RGB out. The bytes have passed <see cref="ImageInspector"/> and must not change until the call returns.
/// Safe to share between threads.
/// </summary>
internal interface IImageDecoder
{
    /// <summary>The formats that this decoder reads.</summary>
    ImageFormats Formats { get; }

    /// <summary>Decodes the first frame.</summary>
    /// <param name="encoded">The whole file.</param>
    /// <param name="header">What inspection found; a picture of another size is refused.</param>
    /// <param name="cancellationToken">Ends the work, within tens of milliseconds.</param>
    /// <exception cref="ImageException">The bytes cannot be decoded, whatever the decoder itself threw.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    IDecodedImage Decode(ReadOnlySpan<byte> encoded, ImageHeader header, CancellationToken cancellationToken);
}
