using Serve.Worker.Images.Resampling;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.PixelFormats;
using SixLabors.ImageSharp.Processing;

namespace Serve.Benchmarks.Peers;

/// <summary>
/// A picture to a tensor as programs with ImageSharp do it: Resize, Crop, and a loop over the rows that scales, normalizes
/// and separates the channels. On one thread, as a worker's decode thread is one.
/// </summary>
/// <param name="resizeTo">The shorter side before the crop.</param>
/// <param name="crop">The side of the square in the middle that is kept.</param>
/// <param name="mean">One for each channel.</param>
/// <param name="std">One for each channel.</param>
internal sealed class ImageSharpPictures(int resizeTo, int crop, IReadOnlyList<double> mean, IReadOnlyList<double> std)
{
    private readonly Configuration _configuration = new() { MaxDegreeOfParallelism = 1 };
    private readonly JpegDecoder _decoder = new() { IgnoreMetadata = true };
    private readonly float[] _mean = [.. mean.Select(value => (float)value)];
    private readonly float[] _std = [.. std.Select(value => (float)value)];

    /// <summary>Decodes a JPEG. The caller disposes of it.</summary>
    public Image<Rgb24> Decode(byte[] jpeg)
    {
        using var stream = new MemoryStream(jpeg);
        return _decoder.Decode<Rgb24>(_configuration, stream, CancellationToken.None);
    }

    /// <summary>A JPEG to planes of float32.</summary>
    public void FromBytes(byte[] jpeg, float[] tensor)
    {
        using var image = Decode(jpeg);
        image.Mutate(context => Shrink(context, image.Width, image.Height));
        Fill(image, tensor);
    }

    /// <summary>A decoded picture to planes of float32; the picture stays as it is.</summary>
    public void FromPixels(Image<Rgb24> image, float[] tensor)
    {
        using var small = image.Clone(context => Shrink(context, image.Width, image.Height));
        Fill(small, tensor);
    }

    private void Shrink(IImageProcessingContext context, int width, int height)
    {
        var (resizedWidth, resizedHeight) = AxisGeometry.ResizeShorterSide(width, height, resizeTo);
        context.Resize(resizedWidth, resizedHeight, KnownResamplers.Triangle).Crop(new Rectangle((resizedWidth - crop) / 2, (resizedHeight - crop) / 2, crop, crop));
    }

    private void Fill(Image<Rgb24> image, float[] tensor) => image.ProcessPixelRows(pixels =>
    {
        var plane = crop * crop;
        for (var y = 0; y < crop; y++)
        {
            var row = pixels.GetRowSpan(y);
            for (var x = 0; x < row.Length; x++)
            {
                var at = (y * crop) + x;
                tensor[at] = ((row[x].R / 255f) - _mean[0]) / _std[0];
                tensor[plane + at] = ((row[x].G / 255f) - _mean[1]) / _std[1];
                tensor[(2 * plane) + at] = ((row[x].B / 255f) - _mean[2]) / _std[2];
            }
        }
    });
}
