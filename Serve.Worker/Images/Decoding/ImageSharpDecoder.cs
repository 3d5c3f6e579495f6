using System.Buffers;
using System.Runtime.InteropServices;
using Serve.Worker.Images.Formats;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Advanced;
using SixLabors.ImageSharp.Formats.Bmp;
using SixLabors.ImageSharp.Formats.Gif;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.Formats.Png;
using SixLabors.ImageSharp.Formats.Tiff;
using SixLabors.ImageSharp.Formats.Webp;
using SixLabors.ImageSharp.Memory;
using SixLabors.ImageSharp.Metadata;
using SixLabors.ImageSharp.PixelFormats;

namespace Serve.Worker.Images.Decoding;

/// <summary>
/// SixLabors.ImageSharp, set up for a server: bounded pooled memory, one thread, no metadata, the first frame only.
/// Decodes every format; alpha is dropped, as PIL's <c>convert("RGB")</c> does, and 16-bit samples are scaled.
/// </summary>
internal sealed class ImageSharpDecoder : IImageDecoder
{
    private const int Megabyte = 1 << 20;

    [ThreadStatic]
    private static EncodedStream? _stream;

    private readonly Configuration _configuration;
    private readonly JpegDecoder _jpeg = new() { IgnoreMetadata = true };
    private readonly PngDecoder _png = new() { IgnoreMetadata = true };
    private readonly GifDecoder _gif = new() { IgnoreMetadata = true, DecodingMode = FrameDecodingMode.First };
    private readonly WebpDecoder _webp = new() { IgnoreMetadata = true };
    private readonly TiffDecoder _tiff = new() { IgnoreMetadata = true, DecodingMode = FrameDecodingMode.First };
    private readonly BmpDecoder _bmp = new();

    public ImageSharpDecoder(ImageLimits limits)
    {
        // The largest single buffer of a decoder is 8 bytes a pixel; the floor leaves room for its fixed tables.
        var largestBufferBytes = Math.Min(limits.MaxImagePixels, int.MaxValue) * 8;
        _configuration = new Configuration
        {
            MaxDegreeOfParallelism = 1,

            // True would take buffers above 4 MiB from the operating system each time: fresh pages make large pictures three times slower.
            PreferContiguousImageBuffers = false,
            MemoryAllocator = MemoryAllocator.Create(new MemoryAllocatorOptions
            {
                AllocationLimitMegabytes = (int)Math.Max(16, (largestBufferBytes + Megabyte - 1) / Megabyte),
                MaximumPoolSizeMegabytes = 40 * Environment.ProcessorCount,
            }),
        };
    }

    public ImageFormats Formats => ImageFormats.All;

    public unsafe IDecodedImage Decode(ReadOnlySpan<byte> encoded, ImageHeader header, CancellationToken cancellationToken)
    {
        var stream = _stream ??= new EncodedStream();
        Image<Rgb24>? image = null;
        byte[]? opaque = null;
        try
        {
            if (header.Format == ImageFormats.Gif && GifWalk.TransparencyOfFirstFrame(encoded) is >= 0 and var transparency)
            {
                // Where a pixel is transparent ImageSharp writes nothing, which is black; its colour is wanted.
                opaque = ArrayPool<byte>.Shared.Rent(encoded.Length);
                encoded.CopyTo(opaque);
                opaque[transparency] &= 0xFE;
                encoded = opaque.AsSpan(0, encoded.Length);
            }

            fixed (byte* start = encoded)
            {
                stream.Set(start, encoded.Length, cancellationToken);
                image = Decode(stream, header.Format, cancellationToken);
            }

            cancellationToken.ThrowIfCancellationRequested();
            if (image.Width != header.Width || image.Height != header.Height)
                throw new ImageException($"The {ImageInspector.NameOf(header.Format)} picture is broken: its header says {header.Width}x{header.Height} and it decodes to {image.Width}x{image.Height}.");
            return new DecodedImage(image);
        }
        catch (Exception exception)
        {
            image?.Dispose();

            // Cancellation may surface inside a decoder as its own failure: what was asked for decides.
            cancellationToken.ThrowIfCancellationRequested();

            // Hostile bytes make decoders throw anything, NullReference and IndexOutOfRange included: all of it means the picture.
            throw exception as ImageException
                ?? new ImageException($"The {ImageInspector.NameOf(header.Format)} picture is broken: {Reason(exception)}", exception);
        }
        finally
        {
            stream.Clear();
            if (opaque is not null) ArrayPool<byte>.Shared.Return(opaque);
        }
    }

    private Image<Rgb24> Decode(EncodedStream stream, ImageFormats format, CancellationToken cancellationToken) => format switch
    {
        ImageFormats.Jpeg => _jpeg.Decode<Rgb24>(_configuration, stream, cancellationToken),
        ImageFormats.Png => _png.Decode<Rgb24>(_configuration, stream, cancellationToken),
        ImageFormats.Gif => _gif.Decode<Rgb24>(_configuration, stream, cancellationToken),
        ImageFormats.Webp => _webp.Decode<Rgb24>(_configuration, stream, cancellationToken),
        ImageFormats.Tiff => _tiff.Decode<Rgb24>(_configuration, stream, cancellationToken),
        _ => _bmp.Decode<Rgb24>(_configuration, stream, cancellationToken),
    };

    /// <summary>ImageSharp's own messages are for people; those of the runtime are not.</summary>
    private static string Reason(Exception exception) => exception switch
    {
        ImageFormatException or ImageProcessingException when !string.IsNullOrWhiteSpace(exception.Message) => exception.Message,
        InvalidMemoryOperationException or OutOfMemoryException => "decoding it would take more memory than maxImagePixels allows.",
        NotSupportedException => "it uses a variant of the format that is not supported.",
        _ => "its content contradicts itself.",
    };

    private sealed class DecodedImage(Image<Rgb24> image) : IDecodedImage
    {
        public int Width => image.Width;

        public int Height => image.Height;

        public ReadOnlySpan<byte> Row(int y) => MemoryMarshal.AsBytes(image.DangerousGetPixelRowMemory(y).Span);

        public void Dispose() => image.Dispose();
    }
}
