using System.Runtime.InteropServices;
using Serve.Core.Configuration;
using Serve.Worker.Images;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace Serve.Tests.Worker.Images;

/// <summary>The test pictures, and plain ways to look at them.</summary>
internal static class Pictures
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "Data", "images");

    public static byte[] Read(string name) => File.ReadAllBytes(Path.Combine(Folder, name));

    public static IEnumerable<string> Names(string folder) =>
        Directory.EnumerateFiles(Path.Combine(Folder, folder)).Select(file => Path.GetFileName(file)!).Order(StringComparer.Ordinal);

    /// <summary>The instructions of that name; skips the test on a processor without them.</summary>
    public static SimdLevel SimdOrSkip(string name)
    {
        var level = Enum.Parse<SimdLevel>(name);
        Assert.SkipUnless(SimdLevels.IsSupported(level), $"this processor has no {name}");
        return level;
    }

    /// <summary>The pixels of a PNG as the image library sees them, without any code of ours.</summary>
    public static (int Width, int Height, byte[] Rgb) Reference(string name)
    {
        using var image = Image.Load<Rgb24>(Read(name));
        var rgb = new byte[image.Width * image.Height * 3];
        image.CopyPixelDataTo(rgb);
        return (image.Width, image.Height, rgb);
    }

    /// <summary>Options for the plain pixels of a picture of a known size.</summary>
    public static ImagePreprocessing PlainPixels(int width, int height) => new()
    {
        Crop = (height, width),
        Layout = TensorLayout.Nhwc,
        Element = ImageElement.UInt8,
    };

    /// <summary>Options for a resized shorter side and a square crop, as bytes in row order.</summary>
    public static ImagePreprocessing Cropped(int shorterSide, int crop, Interpolation interpolation = Interpolation.Bilinear) =>
        PlainPixels(crop, crop) with { ResizeShorterSide = shorterSide, Interpolation = interpolation };

    public static byte[] Preprocess(this ImagePreprocessor preprocessor, byte[] encoded, CancellationToken token = default)
    {
        var tensor = new byte[preprocessor.OutputBytes];
        preprocessor.Preprocess(encoded, tensor, token);
        return tensor;
    }

    public static T[] Preprocess<T>(this ImagePreprocessor preprocessor, byte[] encoded)
        where T : unmanaged => MemoryMarshal.Cast<byte, T>(preprocessor.Preprocess(encoded)).ToArray();

    public static (int Max, double Mean) Difference(byte[] expected, byte[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        var max = 0;
        var sum = 0L;
        for (var i = 0; i < expected.Length; i++)
        {
            var difference = Math.Abs(expected[i] - actual[i]);
            max = Math.Max(max, difference);
            sum += difference;
        }

        return (max, (double)sum / expected.Length);
    }

    public static byte[] Png(int width, int height, byte[] rgb)
    {
        using var image = Image.LoadPixelData<Rgb24>(rgb, width, height);
        using var stream = new MemoryStream();
        image.SaveAsPng(stream);
        return stream.ToArray();
    }

    /// <summary>Noise over a gradient: every level and every edge occurs.</summary>
    public static byte[] Noise(int width, int height, int seed)
    {
        var random = new Random(seed);
        var rgb = new byte[width * height * 3];
        for (var i = 0; i < rgb.Length; i++)
            rgb[i] = (byte)(random.Next(4) == 0 ? random.Next(256) : (i / 3 % width * 255 / width) ^ (i / 3 / width));
        return rgb;
    }
}
