using Serve.Worker.Images.Formats;

namespace Serve.Worker.Images.Decoding.Turbo;

/// <summary>
/// JPEG by the machine's libjpeg-turbo: the pixels of PIL to the bit, since PIL uses it too, and a third faster than ImageSharp. What it
/// does not do (CMYK, odd subsampling) or does without an end in sight (it cannot be interrupted) is left to another decoder.
/// </summary>
internal sealed unsafe class TurboJpegDecoder(TurboJpegLibrary library, IImageDecoder others, ImagePreprocessing options) : IImageDecoder
{
    /// <summary>TJFLAG_LIMITSCANS. The flags for fast and inexact arithmetic stay off.</summary>
    private const int LimitScans = 32768;

    /// <summary>TJCS_CMYK; YCCK is the one after it, and both come last.</summary>
    private const int FirstColourSpaceOfFour = 3;

    /// <summary>Pixels times scans: about a second on a slow machine.</summary>
    private const long MaxUninterruptedPixels = 400_000_000;

    [ThreadStatic]
    private static TurboJpegHandle? _handle;

    public ImageFormats Formats => ImageFormats.Jpeg;

    public IDecodedImage Decode(ReadOnlySpan<byte> encoded, ImageHeader header, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var image = (long)header.Width * header.Height * header.Scans <= MaxUninterruptedPixels ? TryDecode(encoded, header) : null;
        if (image is null)
            return others.Decode(encoded, header, cancellationToken);
        if (!cancellationToken.IsCancellationRequested)
            return image;
        image.Dispose();
        throw new OperationCanceledException(cancellationToken);
    }

    /// <summary>Null: a picture for another decoder.</summary>
    private PooledImage? TryDecode(ReadOnlySpan<byte> encoded, ImageHeader header)
    {
        var image = PooledImage.Rent();
        var isGood = false;
        try
        {
            var owner = _handle ??= new TurboJpegHandle(library);
            var handle = owner.DangerousGetHandle();
            fixed (byte* jpeg = encoded)
            {
                if (library.ReadHeader(handle, jpeg, encoded.Length, out var width, out var height, out var colourSpace) != 0)
                {
                    Renew();
                    return null;
                }

                if (colourSpace >= FirstColourSpaceOfFour)
                    return null;
                if (width != header.Width || height != header.Height)
                    throw new ImageException($"The JPEG picture is broken: its header says {header.Width}x{header.Height} and it decodes to {width}x{height}.");
                isGood = Decompress(handle, jpeg, encoded.Length, header, image);
            }

            return image;
        }
        catch (OutOfMemoryException exception)
        {
            throw new ImageException("The JPEG picture is too large: this machine has no memory for its pixels.", exception);
        }
        finally
        {
            if (!isGood)
                image.Dispose();
        }
    }

    private bool Decompress(nint handle, byte* jpeg, int bytes, ImageHeader header, PooledImage image)
    {
        var eighths = JpegScale.Eighths(header.Width, header.Height, options);
        var (width, height) = (JpegScale.Scaled(header.Width, eighths), JpegScale.Scaled(header.Height, eighths));
        var stride = 3 * width;
        var pixels = image.Pixels.Reserve((long)stride * height);
        if (library.Decompress(handle, jpeg, bytes, pixels, width, stride, height, LimitScans) != 0)
        {
            // Warnings are about damage that PIL accepts too; not that the end is missing.
            var text = library.ErrorText(handle);
            var isFatal = library.ErrorCode(handle) != 0;
            Renew();
            if (isFatal || text.StartsWith("Premature end", StringComparison.Ordinal))
                throw new ImageException($"The JPEG picture is broken: {text.TrimEnd('.')}.");
        }

        image.Show(pixels, stride, width, height);
        return true;
    }

    /// <summary>A decoder of the library that failed once fails with the next good picture too.</summary>
    private static void Renew()
    {
        _handle?.Dispose();
        _handle = null;
    }
}
