using Serve.Core.Configuration;
using Serve.Worker.Images;

namespace Serve.Tests.Worker.Images;

/// <summary>Against crops that torchvision made with PIL: Resize(256), CenterCrop(224).</summary>
public sealed class ReferenceCropTests
{
    private static readonly string[] Photos = ["astronaut", "chelsea", "coffee"];

    [Theory]
    [MemberData(nameof(Lossless))]
    public void A_lossless_photo_becomes_the_very_pixels_of_torchvision(string photo, string interpolation, string simd)
    {
        var (actual, expected) = Crop($"{photo}.png", Enum.Parse<Interpolation>(interpolation), Pictures.SimdOrSkip(simd));

        Assert.Equal((0, 0.0), Pictures.Difference(expected, actual));
    }

    [Theory]
    [MemberData(nameof(Lossy))]
    public void A_jpeg_photo_is_within_what_the_decoder_s_chroma_costs(string photo, string interpolation)
    {
        var (actual, expected) = Crop($"{photo}.jpg", Enum.Parse<Interpolation>(interpolation), SimdLevels.Best);

        Assert.InRange(Pictures.Difference(expected, actual).Mean, 0, 0.6);
    }

    public static TheoryData<string, string, string> Lossless() => [..
        from photo in Photos
        from interpolation in Enum.GetNames<Interpolation>()
        from simd in Enum.GetNames<SimdLevel>()
        select new TheoryDataRow<string, string, string>(photo, interpolation, simd)];

    public static TheoryData<string, string> Lossy() => [..
        from photo in Photos
        from interpolation in Enum.GetNames<Interpolation>()
        select new TheoryDataRow<string, string>(photo, interpolation)];

    private static (byte[] Actual, byte[] Expected) Crop(string file, Interpolation interpolation, SimdLevel simd)
    {
        var preprocessor = new ImagePreprocessor(Pictures.Cropped(256, 224, interpolation) with { JpegDecoder = JpegDecoderChoice.ImageSharp }, simd: simd);
        var reference = Pictures.Reference($"photos/{file}.{(interpolation == Interpolation.Bilinear ? "bilinear" : "bicubic")}-256-crop-224.png");
        return (preprocessor.Preprocess(Pictures.Read($"photos/{file}")), reference.Rgb);
    }
}
