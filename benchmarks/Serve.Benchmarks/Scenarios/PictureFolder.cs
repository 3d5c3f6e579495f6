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
    public static PictureFolder Photos(Repository repository, int width, int height)
    {
        var result = new PictureFolder();
        foreach (var file in repository.Photos)
        {
            using var photo = Image.Load<Rgb24>(file);
            photo.Mutate(context => context.Resize(width, height));
            photo.SaveAsJpeg(System.IO.Path.Combine(result.Path, System.IO.Path.GetFileName(file)), new JpegEncoder { Quality = 90, ColorType = JpegColorType.YCbCrRatio420 });
        }

        return result;
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
