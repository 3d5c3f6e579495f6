using Serve.Worker.Images;
using Serve.Worker.Images.Decoding;
using Serve.Worker.Images.Formats;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.PixelFormats;

namespace Serve.Benchmarks.Scenarios;

/// <summary>
/// A picture whose pixels are there already: the worker's preprocessor with it does all that it does but for decoding. It
/// still inspects a file, so it gets one of the same size and a single colour, which is read in microseconds.
/// </summary>
internal sealed class KeptPicture : IImageDecoder, IDisposable
{
    private readonly IDecodedImage _pixels;

    /// <param name="jpeg">The picture.</param>
    public KeptPicture(byte[] jpeg)
    {
        var limits = new ImageLimits();
        var header = ImageInspector.Inspect(jpeg, limits);
        _pixels = new Kept(new ImageSharpDecoder(limits).Decode(jpeg, header, CancellationToken.None));
        using var plain = new Image<Rgb24>(header.Width, header.Height);
        using var stream = new MemoryStream();
        plain.SaveAsJpeg(stream, new JpegEncoder { Quality = 1 });
        File = stream.ToArray();
    }

    /// <summary>What to give to the preprocessor.</summary>
    public byte[] File { get; }

    public ImageFormats Formats => ImageFormats.Jpeg;

    public IDecodedImage Decode(ReadOnlySpan<byte> encoded, ImageHeader header, CancellationToken cancellationToken) => _pixels;

    public void Dispose() => ((Kept)_pixels).Release();

    /// <summary>Outlives those who use it.</summary>
    private sealed class Kept(IDecodedImage pixels) : IDecodedImage
    {
        public int Width => pixels.Width;

        public int Height => pixels.Height;

        public ReadOnlySpan<byte> Row(int y) => pixels.Row(y);

        public void Release() => pixels.Dispose();

        public void Dispose()
        {
            // The preprocessor is done with it; the next picture is the same.
        }
    }
}
