using BenchmarkDotNet.Attributes;
using Serve.Benchmarks.Scenarios;
using Serve.Worker.Images;
using Serve.Worker.Images.Decoding;
using Serve.Worker.Images.Decoding.Png;
using Serve.Worker.Images.Decoding.Turbo;
using Serve.Worker.Images.Formats;
using SixLabors.ImageSharp;

namespace Serve.Benchmarks.Parts;

/// <summary>The worker's decoders, inspection of the file included: bytes to rows of RGB.</summary>
public class DecodeBenchmarks
{
    private const string JpegWithTurbo = "JPEG 500x375, libjpeg-turbo";
    private const string JpegWithImageSharp = "JPEG 500x375, ImageSharp";
    private const string Png = "PNG 500x375";
    private const string PngWithImageSharp = "PNG 500x375, ImageSharp";
    private const string SmallPng = "PNG 28x28";

    private static readonly ImageLimits Limits = new();

    private IImageDecoder _decoder = null!;
    private byte[] _file = [];

    /// <summary>libjpeg-turbo only where the machine has it.</summary>
    public static IEnumerable<string> Cases =>
        [.. TurboJpegLibrary.Installed is null ? (string[])[] : [JpegWithTurbo], JpegWithImageSharp, Png, PngWithImageSharp, SmallPng];

    [ParamsSource(nameof(Cases))]
    public string Case { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        var repository = Repository.Find();
        using var photos = PictureFolder.Photos(repository, 500, 375);
        var imageSharp = new ImageSharpDecoder(Limits);
        (_decoder, _file) = Case switch
        {
            JpegWithTurbo => (new TurboJpegDecoder(TurboJpegLibrary.Installed!, imageSharp, new ImagePreprocessing { Crop = (224, 224) }), photos.Files[0]),
            JpegWithImageSharp => (imageSharp, photos.Files[0]),
            Png => (new PngDecoder(), AsPng(photos.Files[0])),
            PngWithImageSharp => (imageSharp, AsPng(photos.Files[0])),
            _ => ((IImageDecoder)new PngDecoder(), repository.Pictures(1)[0]),
        };
    }

    [Benchmark]
    public int Decode()
    {
        using var image = _decoder.Decode(_file, ImageInspector.Inspect(_file, Limits), CancellationToken.None);
        return image.Row(image.Height - 1)[0];
    }

    private static byte[] AsPng(byte[] jpeg)
    {
        using var photo = Image.Load(jpeg);
        using var stream = new MemoryStream();
        photo.SaveAsPng(stream);
        return stream.ToArray();
    }
}
