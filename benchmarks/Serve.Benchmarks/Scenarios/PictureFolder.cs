using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.PixelFormats;
using SixLabors.ImageSharp.Processing;

namespace Serve.Benchmarks.Scenarios;

/// <summary>Photos as JPEGs of one size, in a folder of their own.</summary>
internal sealed class PictureFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("serve-bench-pictures-");

    public string Path => _folder.FullName;

    public IReadOnlyList<byte[]> Files => [.. Directory.EnumerateFiles(Path).Order(StringComparer.Ordinal).Select(File.ReadAllBytes)];

    /// <summary>The photos of the tests at this size, with the usual 4:2:0 and quality 90.</summary>
    /// <param name="repository">Where they are.</param>
    /// <param name="width">In pixels.</param>
    /// <param name="height">In pixels.</param>
    /// <param name="noise">Levels by which pixels differ from the photo's at most, by chance: enlarged photos alone have no detail.</param>
    public static PictureFolder Photos(Repository repository, int width, int height, int noise = 0)
    {
        var result = new PictureFolder();
        var random = new Random(1);
        foreach (var file in repository.Photos)
        {
            using var photo = Image.Load<Rgb24>(file);
            photo.Mutate(context => context.Resize(width, height));
            if (noise > 0) AddNoise(photo, noise, random);
            photo.SaveAsJpeg(System.IO.Path.Combine(result.Path, System.IO.Path.GetFileName(file)), new JpegEncoder { Quality = 90, ColorType = JpegColorType.YCbCrRatio420 });
        }

        return result;
    }

    private static void AddNoise(Image<Rgb24> photo, int noise, Random random) => photo.ProcessPixelRows(pixels =>
    {
        for (var y = 0; y < pixels.Height; y++)
        {
            foreach (ref var pixel in pixels.GetRowSpan(y))
            {
                var by = random.Next(-noise, noise + 1);
                pixel = new Rgb24(Level(pixel.R + by), Level(pixel.G + by), Level(pixel.B + by));
            }
        }
    });

    private static byte Level(int value) => (byte)Math.Clamp(value, 0, 255);

    public void Dispose() => _folder.Delete(recursive: true);
}
