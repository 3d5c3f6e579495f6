using System.Globalization;
using BenchmarkDotNet.Attributes;
using Serve.Benchmarks.Scenarios;
using Serve.Worker.Images;

namespace Serve.Benchmarks.Parts;

/// <summary>Pixels to a normalized float32 tensor of 3x224x224, resized to 256 and cropped, with each set of instructions.</summary>
public class ResampleBenchmarks
{
    private KeptPicture _picture = null!;
    private ImagePreprocessor _preprocessor = null!;
    private byte[] _tensor = [];

    [Params("500x375", "1280x720")]
    public string Size { get; set; } = "";

    /// <summary>Those that the processor has.</summary>
    public static IEnumerable<string> Levels => Enum.GetValues<SimdLevel>().Where(SimdLevels.IsSupported).OrderDescending().Select(level => level.ToString());

    [ParamsSource(nameof(Levels))]
    public string Instructions { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        int[] size = [.. Size.Split('x').Select(side => int.Parse(side, CultureInfo.InvariantCulture))];
        using var photos = PictureFolder.Photos(Repository.Find(), size[0], size[1]);
        _picture = new KeptPicture(photos.Files[0]);
        var options = new ImagePreprocessing { ResizeShorterSide = 256, Crop = (224, 224), Mean = [0.485, 0.456, 0.406], Std = [0.229, 0.224, 0.225] };
        _preprocessor = new ImagePreprocessor(options, [_picture], Enum.Parse<SimdLevel>(Instructions));
        _tensor = new byte[_preprocessor.OutputBytes];
    }

    [GlobalCleanup]
    public void Cleanup() => _picture.Dispose();

    [Benchmark]
    public void ToTensor() => _preprocessor.Preprocess(_picture.File, _tensor, CancellationToken.None);
}
