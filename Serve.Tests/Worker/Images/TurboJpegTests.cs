using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Worker.Images;
using Serve.Worker.Images.Decoding;
using Serve.Worker.Images.Decoding.Turbo;
using Serve.Worker.Images.Formats;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.PixelFormats;
using SixLabors.ImageSharp.Processing;

namespace Serve.Tests.Worker.Images;

/// <summary>JPEG by libjpeg-turbo, where the machine has it.</summary>
public sealed class TurboJpegTests
{
    private static readonly string[] Photos = ["astronaut", "chelsea", "coffee"];

    public static TheoryData<string> Twins() => [.. Pictures.Names("formats").Where(name => name.EndsWith(".jpg", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Twins))]
    public void A_jpeg_decodes_to_the_very_pixels_of_pil(string name)
    {
        SkipWithoutLibrary();
        var (width, height, expected) = Pictures.Reference($"formats/{name}.rgb.png");
        var actual = With(Pictures.PlainPixels(width, height), JpegDecoderChoice.Turbo).Preprocess(Pictures.Read($"formats/{name}"));

        // Four colours are ImageSharp's.
        Assert.InRange(Pictures.Difference(expected, actual).Max, 0, name == "cmyk.jpg" ? 3 : 0);
    }

    [Fact]
    public void A_photo_becomes_the_very_crop_of_torchvision()
    {
        SkipWithoutLibrary();
        foreach (var photo in Photos)
        {
            foreach (var interpolation in Enum.GetValues<Interpolation>())
            {
                var reference = Pictures.Reference($"photos/{photo}.jpg.{interpolation.ToString().ToLowerInvariant()}-256-crop-224.png");
                var actual = With(Pictures.Cropped(256, 224, interpolation), JpegDecoderChoice.Turbo).Preprocess(Pictures.Read($"photos/{photo}.jpg"));
                Assert.Equal((0, 0.0), Pictures.Difference(reference.Rgb, actual));
            }
        }
    }

    [Theory]
    [InlineData(JpegDecoderChoice.ImageSharp)]
    [InlineData(JpegDecoderChoice.Turbo)]
    public void Both_decoders_refuse_every_bad_jpeg_and_read_a_good_one_right_after(JpegDecoderChoice decoder)
    {
        if (decoder == JpegDecoderChoice.Turbo)
            SkipWithoutLibrary();
        var preprocessor = With(Pictures.Cropped(256, 224), decoder);
        var photo = Pictures.Read("photos/chelsea.jpg");
        var expected = preprocessor.Preprocess(photo);
        foreach (var name in Pictures.Names("bad").Where(name => name.EndsWith(".jpg", StringComparison.Ordinal)))
        {
            Assert.Throws<ImageException>(() => preprocessor.Preprocess(Pictures.Read($"bad/{name}")));
            Assert.Equal(expected, preprocessor.Preprocess(photo));
        }
    }

    [Theory]
    [InlineData("formats/baseline-420.jpg", JpegDecoderChoice.ImageSharp)]
    [InlineData("formats/progressive.jpg", JpegDecoderChoice.ImageSharp)]
    [InlineData("formats/baseline-420.jpg", JpegDecoderChoice.Turbo)]
    [InlineData("formats/progressive.jpg", JpegDecoderChoice.Turbo)]
    [InlineData("formats/cmyk.jpg", JpegDecoderChoice.Turbo)]
    public void Damage_is_read_or_refused_and_the_next_picture_is_good(string name, JpegDecoderChoice decoder)
    {
        if (decoder == JpegDecoderChoice.Turbo)
            SkipWithoutLibrary();
        var preprocessor = With(Pictures.Cropped(32, 32) with { Limits = new ImageLimits { MaxImagePixels = 1 << 20 } }, decoder);
        var original = Pictures.Read(name);
        var expected = preprocessor.Preprocess(original);
        var random = new Random(9);
        for (var i = 0; i < 300; i++)
        {
            var mutated = original.ToArray();
            for (var flips = 1 + random.Next(8); flips > 0; flips--)
                mutated[random.Next(random.Next(2) == 0 ? 700 : mutated.Length)] ^= (byte)(1 << random.Next(8));
            try
            {
                preprocessor.Preprocess(mutated);
            }
            catch (ImageException refused)
            {
                Assert.NotEmpty(refused.Message);
                Assert.Equal(expected, preprocessor.Preprocess(original));
            }
        }
    }

    [Fact]
    public void A_jpeg_cut_behind_the_inspector_s_back_is_refused()
    {
        SkipWithoutLibrary();
        var whole = Pictures.Read("photos/chelsea.jpg");
        var header = ImageInspector.Inspect(whole, new ImageLimits());
        var decoder = new TurboJpegDecoder(TurboJpegLibrary.Installed!, new ImageSharpDecoder(new ImageLimits()), new ImagePreprocessing { Crop = (1, 1) });

        var refused = Assert.Throws<ImageException>(() => decoder.Decode(whole.AsSpan(0, whole.Length / 2), header, CancellationToken.None));

        Assert.Equal("The JPEG picture is broken: Premature end of JPEG file.", refused.Message);
        decoder.Decode(whole, header, CancellationToken.None).Dispose();
    }

    [Fact]
    public void Too_many_scans_over_too_many_pixels_go_to_the_decoder_that_can_be_stopped()
    {
        SkipWithoutLibrary();
        using var expired = new CancellationTokenSource();
        expired.Cancel();
        var photo = Pictures.Read("photos/chelsea.jpg");
        var header = ImageInspector.Inspect(photo, new ImageLimits());
        var decoder = new TurboJpegDecoder(TurboJpegLibrary.Installed!, new Refusing(), new ImagePreprocessing { Crop = (1, 1) });

        Assert.Equal(1, header.Scans);
        Assert.Throws<NotSupportedException>(() => decoder.Decode(photo, header with { Width = 20_000, Height = 20_000, Scans = 2 }, CancellationToken.None));
        Assert.Throws<OperationCanceledException>(() => decoder.Decode(photo, header, expired.Token));
    }

    [Fact]
    public void A_jpeg_costs_no_garbage()
    {
        SkipWithoutLibrary();
        var preprocessor = With(Pictures.Cropped(256, 224), JpegDecoderChoice.Turbo);
        var photo = Pictures.Read("photos/chelsea.jpg");
        var destination = new byte[preprocessor.OutputBytes];
        for (var i = 0; i < 3; i++)
            preprocessor.Preprocess(photo, destination, CancellationToken.None);

        var before = GC.GetAllocatedBytesForCurrentThread();
        preprocessor.Preprocess(photo, destination, CancellationToken.None);

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 200);
    }

    [Theory]
    [InlineData(4000, 3000, 256, 2)]
    [InlineData(3000, 4000, 256, 2)]
    [InlineData(2048, 1536, 256, 4)]
    [InlineData(1280, 720, 256, 8)]
    [InlineData(4096, 4096, 256, 1)]
    [InlineData(500, 375, 256, 8)]
    [InlineData(65535, 65535, 1, 1)]
    public void The_smallest_scale_keeps_twice_the_target(int width, int height, int target, int eighths)
    {
        var options = Pictures.Cropped(target, target);

        Assert.Equal(8, JpegScale.Eighths(width, height, options));
        Assert.Equal(eighths, JpegScale.Eighths(width, height, options with { JpegScaling = JpegScaling.Fast }));
        Assert.Equal(8, JpegScale.Eighths(width, height, Pictures.PlainPixels(8, 8) with { JpegScaling = JpegScaling.Fast }));
    }

    [Fact]
    public void A_large_photo_decoded_smaller_is_within_a_few_levels()
    {
        SkipWithoutLibrary();
        foreach (var photo in Photos)
        {
            using var image = Image.Load<Rgb24>(Pictures.Read($"photos/{photo}.png"));
            image.Mutate(context => context.Resize(1600, 1200, KnownResamplers.Bicubic));
            using var jpeg = new MemoryStream();
            image.SaveAsJpeg(jpeg, new JpegEncoder { Quality = 90 });

            var (max, mean) = FastAgainstExact(jpeg.ToArray(), Pictures.Cropped(256, 224));
            Assert.InRange(max, 1, 10);
            Assert.InRange(mean, 0, 0.5);
        }
    }

    [Fact]
    public void A_small_and_sharp_photo_decoded_smaller_is_further_off()
    {
        SkipWithoutLibrary();
        foreach (var photo in Photos)
        {
            var (max, mean) = FastAgainstExact(Pictures.Read($"photos/{photo}.jpg"), Pictures.Cropped(60, 52));
            Assert.InRange(max, 1, 30);
            Assert.InRange(mean, 0, 2);
        }
    }

    [Fact]
    public void A_machine_without_the_library_is_told_what_to_install()
    {
        var configuration = new PreprocessingConfiguration { JpegDecoder = JpegDecoderChoice.Turbo };
        var input = new TensorInfo("pixels", TensorElement.Float32, [-1, 3, 224, 224]);
        if (TurboJpegLibrary.Installed is not null)
        {
            Assert.Equal(JpegDecoderChoice.Turbo, PreprocessingResolver.Resolve(configuration, input).JpegDecoder);
            return;
        }

        var refused = Assert.Throws<InvalidModelException>(() => PreprocessingResolver.Resolve(configuration, input));
        Assert.Contains("apt-get install libturbojpeg0", refused.Message, StringComparison.Ordinal);
        Assert.Equal("ImageSharp", ImageDecoders.JpegName(new ImagePreprocessing()));
    }

    private static (int Max, double Mean) FastAgainstExact(byte[] jpeg, ImagePreprocessing options)
    {
        options = options with { JpegDecoder = JpegDecoderChoice.Turbo };
        var difference = Pictures.Difference(
            new ImagePreprocessor(options).Preprocess(jpeg),
            new ImagePreprocessor(options with { JpegScaling = JpegScaling.Fast }).Preprocess(jpeg));
        TestContext.Current.TestOutputHelper?.WriteLine($"difference {difference}");
        return difference;
    }

    private static void SkipWithoutLibrary() => Assert.SkipWhen(TurboJpegLibrary.Installed is null, $"this machine has no libjpeg-turbo: {TurboJpegLibrary.HowToInstall}");

    private static ImagePreprocessor With(ImagePreprocessing options, JpegDecoderChoice decoder) => new(options with { JpegDecoder = decoder });

    private sealed class Refusing : IImageDecoder
    {
        public ImageFormats Formats => ImageFormats.All;

        public IDecodedImage Decode(ReadOnlySpan<byte> encoded, ImageHeader header, CancellationToken cancellationToken) =>
            throw new NotSupportedException("another decoder");
    }
}
