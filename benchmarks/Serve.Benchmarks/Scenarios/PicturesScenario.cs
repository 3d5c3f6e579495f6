using System.Globalization;
using Serve.Benchmarks.Peers;
using Serve.Benchmarks.Reporting;
using Serve.Core.Configuration;
using Serve.Worker.Images;
using Serve.Worker.Images.Decoding.Turbo;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace Serve.Benchmarks.Scenarios;

/// <summary>
/// What a picture costs before a model sees it: the worker's own classes, in this process, against ImageSharp's Resize and
/// Crop with the usual loop. Processor time of one thread; the variants take turns of a few milliseconds.
/// </summary>
internal sealed class PicturesScenario : IScenario
{
    private const int ResizeTo = 256;
    private const int Crop = 224;

    // The larger ones have noise, as cameras do: enlarged photos alone are smooth, and quick to decode.
    private static readonly Size[] Sizes =
    [
        new(500, 375, Noise: 0, PixelBar: 5, ImageSharpBar: 1.6, TurboBar: 2.1),
        new(1280, 720, Noise: 4, PixelBar: 4, ImageSharpBar: 1.25, TurboBar: null),
        new(4000, 3000, Noise: 8, PixelBar: 3, ImageSharpBar: 1.1, TurboBar: null),
    ];

    private static readonly double[] Mean = [0.485, 0.456, 0.406];
    private static readonly double[] Std = [0.229, 0.224, 0.225];
    private static readonly TimeSpan Turn = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(1);

    public string Name => "pictures";

    public string Title => "JPEGs to tensors of 224x224, the worker's classes against ImageSharp";

    public void Run(Repository repository, BenchmarkSettings settings, Report report)
    {
        foreach (var size in Sizes) Measure(repository, settings, size, report);
    }

    private void Measure(Repository repository, BenchmarkSettings settings, Size size, Report report)
    {
        using var folder = PictureFolder.Photos(repository, size.Width, size.Height, size.Noise);
        var files = folder.Files;
        var peer = new ImageSharpPictures(ResizeTo, Crop, Mean, Std);
        var (tensor, bytes) = NewTensor();
        KeptPicture[] kept = [.. files.Select(file => new KeptPicture(file))];
        Image<Rgb24>[] images = [.. files.Select(peer.Decode)];
        ImagePreprocessor[] onPixels = [.. kept.Select(picture => new ImagePreprocessor(Options(JpegDecoderChoice.ImageSharp), [picture]))];
        var (withImageSharp, withTurbo) = (new ImagePreprocessor(Options(JpegDecoderChoice.ImageSharp)), Turbo());

        var variants = new List<Variant>
        {
            new("pixels, ImageSharp Resize + Crop + loop", at => peer.FromPixels(images[at], tensor)),
            new("pixels, worker", at => onPixels[at].Preprocess(kept[at].File, bytes.Span, CancellationToken.None)),
            new("bytes, ImageSharp decode + Resize + Crop + loop", at => peer.FromBytes(files[at], tensor)),
            new("bytes, worker with ImageSharp", at => withImageSharp.Preprocess(files[at], bytes.Span, CancellationToken.None)),
        };
        if (withTurbo is not null) variants.Add(new("bytes, worker with libjpeg-turbo", at => withTurbo.Preprocess(files[at], bytes.Span, CancellationToken.None)));

        foreach (var variant in variants)
        {
            variant.Run(WarmUp, files.Count);
            variant.Forget();
        }

        foreach (var _ in settings.EachRound()) MeasureRound(variants, settings.Duration, files.Count);

        var at = string.Create(CultureInfo.InvariantCulture, $"{size.Width}x{size.Height}");
        double[] Ratios(int slow, int fast) => [.. variants[slow].Rounds.Zip(variants[fast].Rounds, (peers, ours) => peers / ours)];
        report.Add(Name, $"{at} pixels to tensor, ImageSharp's time to the worker's", "", Bar.AtLeast(size.PixelBar), Ratios(0, 1));
        report.Add(Name, $"{at} bytes to tensor, ImageSharp's time to the worker's, same decoder", "", Bar.AtLeast(size.ImageSharpBar), Ratios(2, 3));
        var turboRow = $"{at} bytes to tensor, ImageSharp's time to the worker's with libjpeg-turbo";
        if (withTurbo is null) report.Omit(Name, turboRow, "there is no libjpeg-turbo here (Debian: libturbojpeg0)");
        else report.Add(Name, turboRow, "", size.TurboBar is { } bar ? Bar.AtLeast(bar) : Bar.None, Ratios(2, 4));
        foreach (var variant in variants) report.Add(Name, $"{at} {variant.Name}", "ms CPU", Bar.None, variant.Rounds);
        report.Add(Name, $"{at} mean file", "KB", Bar.None, [files.Average(file => file.Length) / 1000]);

        foreach (var picture in kept) picture.Dispose();
        foreach (var image in images) image.Dispose();
    }

    private static void MeasureRound(List<Variant> variants, TimeSpan duration, int files)
    {
        var measured = TimeSpan.Zero;
        while (measured < duration)
        {
            foreach (var variant in variants) measured += variant.Run(Turn, files);
        }

        foreach (var variant in variants) variant.EndRound();
    }

    private static (float[] Tensor, Memory<byte> Bytes) NewTensor()
    {
        var tensor = new float[3 * Crop * Crop];
        return (tensor, new byte[tensor.Length * sizeof(float)]);
    }

    private static ImagePreprocessor? Turbo() => TurboJpegLibrary.Installed is null ? null : new ImagePreprocessor(Options(JpegDecoderChoice.Turbo));

    private static ImagePreprocessing Options(JpegDecoderChoice decoder) => new() { ResizeShorterSide = ResizeTo, Crop = (Crop, Crop), Mean = Mean, Std = Std, JpegDecoder = decoder };

    private readonly record struct Size(int Width, int Height, int Noise, double PixelBar, double ImageSharpBar, double? TurboBar);

    /// <summary>One way to do it, and how long a picture took in each round.</summary>
    private sealed class Variant(string name, Action<int> work)
    {
        private readonly Func<TimeSpan> _processorTime = ThreadProcessorClock.OfThisThread()!;
        private readonly List<double> _rounds = [];
        private TimeSpan _used;
        private int _pictures;

        public string Name { get; } = name;

        /// <summary>Milliseconds of processor time for a picture.</summary>
        public IReadOnlyList<double> Rounds => _rounds;

        /// <summary>Works for about that long, on whole pictures, every file as often as the others.</summary>
        /// <returns>How long it was.</returns>
        public TimeSpan Run(TimeSpan time, int files)
        {
            var start = _processorTime();
            TimeSpan used;
            do
            {
                for (var at = 0; at < files; at++) work(at);
                _pictures += files;
                used = _processorTime() - start;
            }
            while (used < time);

            _used += used;
            return used;
        }

        public void EndRound()
        {
            _rounds.Add(_used.TotalMilliseconds / _pictures);
            Forget();
        }

        /// <summary>What was done since the last round does not count.</summary>
        public void Forget() => (_used, _pictures) = (TimeSpan.Zero, 0);
    }
}
