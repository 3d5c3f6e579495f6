using Serve.Core.Configuration;
using Serve.Worker.Images;

namespace Serve.Tests.Worker.Images;

/// <summary>Every format and variant against its twin as PIL decodes it.</summary>
public sealed class FormatTests
{
    [Theory]
    [MemberData(nameof(Twins))]
    public void A_picture_decodes_to_its_twin(string name)
    {
        var (width, height, expected) = Pictures.Reference($"formats/{name}.rgb.png");
        var actual = new ImagePreprocessor(Pictures.PlainPixels(width, height) with { JpegDecoder = JpegDecoderChoice.ImageSharp }).Preprocess(Pictures.Read($"formats/{name}"));

        var (max, mean) = Pictures.Difference(expected, actual);
        if (name.EndsWith(".jpg", StringComparison.Ordinal))
            Assert.InRange(mean, 0, 0.6);
        else
            Assert.Equal(0, max);
    }

    [Fact]
    public void A_16_bit_picture_is_scaled_to_8_bits()
    {
        var actual = new ImagePreprocessor(Pictures.PlainPixels(180, 120)).Preprocess(Pictures.Read("formats/gray16.png"));

        // The same picture with 8 bits.
        Assert.InRange(Pictures.Difference(Pictures.Reference("formats/gray.png").Rgb, actual).Max, 0, 1);
    }

    [Fact]
    public void A_transparent_colour_of_a_GIF_is_that_colour()
    {
        var (width, height, expected) = Pictures.Reference("formats/still.gif.rgb.png");
        var gif = Pictures.Read("formats/still.gif");
        for (var index = 0; index < 256; index += 15)
        {
            var transparent = WithTransparency(gif, (byte)index);
            var before = transparent.ToArray();

            Assert.Equal(0, Pictures.Difference(expected, new ImagePreprocessor(Pictures.PlainPixels(width, height)).Preprocess(transparent)).Max);
            Assert.Equal(before, transparent); // the request's bytes are not written to
        }
    }

    [Fact]
    public void A_format_that_is_switched_off_is_refused_by_name()
    {
        var preprocessor = new ImagePreprocessor(Pictures.Cropped(32, 32) with { Limits = new ImageLimits { Formats = ImageFormats.Jpeg | ImageFormats.Webp } });

        var refused = Assert.Throws<ImageException>(() => preprocessor.Preprocess(Pictures.Read("formats/rgb.bmp")));

        Assert.Equal("The picture is a BMP, and this model accepts only: JPEG, WebP.", refused.Message);
        Assert.Equal(400, refused.Status);
        preprocessor.Preprocess(Pictures.Read("formats/lossy.webp"));
    }

    // A graphic control extension before the first frame.
    private static byte[] WithTransparency(byte[] gif, byte index)
    {
        var at = 13 + ((gif[10] & 0x80) != 0 ? 3 << ((gif[10] & 7) + 1) : 0);
        while (gif[at] == 0x21)
        {
            at += 2;
            while (gif[at] != 0) at += gif[at] + 1;
            at++;
        }

        Assert.Equal(0x2C, gif[at]);
        return [.. gif[..at], 0x21, 0xF9, 4, 1, 0, 0, index, 0, .. gif[at..]];
    }

    public static TheoryData<string> Twins() => [..
        Pictures.Names("formats").Where(name => name.EndsWith(".rgb.png", StringComparison.Ordinal) && name != "rgb.png").Select(name => name[..^".rgb.png".Length])];
}
