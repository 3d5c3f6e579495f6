using Serve.Core.Configuration;
using Serve.Worker.Images;

namespace Serve.Tests.Worker.Images;

/// <summary>Every instruction set against Pillow's algorithm, over shapes that photos do not have.</summary>
public sealed class ResamplerTests
{
    [Theory]
    [MemberData(nameof(Levels))]
    public void Any_shape_becomes_the_pixels_of_pillow(string level)
    {
        var simd = Pictures.SimdOrSkip(level);
        var random = new Random(20);
        for (var i = 0; i < 150; i++)
        {
            // From far smaller to far larger than the result, odd and even, down to one pixel.
            int width = 1 + random.Next(i % 3 == 0 ? 12 : 400), height = 1 + random.Next(i % 5 == 0 ? 8 : 300);
            int newWidth = 1 + random.Next(130), newHeight = 1 + random.Next(130);
            var interpolation = (Interpolation)(i % 2);
            var rgb = Pictures.Noise(width, height, i);
            var preprocessor = new ImagePreprocessor(Pictures.PlainPixels(newWidth, newHeight) with { Crop = null, ResizeExactly = (newHeight, newWidth), Interpolation = interpolation }, simd: simd);

            var actual = preprocessor.Preprocess(Pictures.Png(width, height, rgb));

            Assert.True(PillowReference.Resize(rgb, width, height, newWidth, newHeight, interpolation).AsSpan().SequenceEqual(actual), $"{width}x{height} to {newWidth}x{newHeight} {interpolation}");
        }
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public void Shorter_side_and_crop_keep_the_pixels_that_torchvision_keeps(string level)
    {
        var simd = Pictures.SimdOrSkip(level);
        var random = new Random(21);
        for (var i = 0; i < 100; i++)
        {
            int width = 1 + random.Next(200), height = 1 + random.Next(200), shorter = 1 + random.Next(70), crop = 1 + random.Next(90);
            var rgb = Pictures.Noise(width, height, i);
            var preprocessor = new ImagePreprocessor(Pictures.Cropped(shorter, crop, (Interpolation)(i % 2)), simd: simd);

            var actual = preprocessor.Preprocess(Pictures.Png(width, height, rgb));

            Assert.True(Torchvision(rgb, width, height, shorter, crop, (Interpolation)(i % 2)).AsSpan().SequenceEqual(actual), $"{width}x{height}, shorter side {shorter}, crop {crop}");
        }
    }

    [Fact]
    public void A_picture_smaller_than_the_crop_stands_in_the_middle_of_black()
    {
        var rgb = Enumerable.Repeat((byte)200, 3 * 2 * 3).ToArray();

        var actual = new ImagePreprocessor(Pictures.PlainPixels(6, 5)).Preprocess(Pictures.Png(3, 2, rgb));

        // torchvision pads (6-3)/2 = 1 on the left and 2 on the right, 1 above and 2 below.
        Assert.Equal(
            ["......", ".###..", ".###..", "......", "......"],
            actual.Chunk(18).Select(row => string.Concat(row.Chunk(3).Select(pixel => pixel[0] switch { 200 => '#', 0 => '.', _ => '?' }))));
    }

    [Fact]
    public void A_grey_tensor_is_pillow_s_luma_taken_before_resizing()
    {
        const int Width = 90, Height = 70;
        var rgb = Pictures.Noise(Width, Height, 5);
        var grey = new byte[rgb.Length];
        for (var i = 0; i < rgb.Length; i += 3)
            grey.AsSpan(i, 3).Fill((byte)(((rgb[i] * 19595) + (rgb[i + 1] * 38470) + (rgb[i + 2] * 7471) + 0x8000) >> 16));

        foreach (var size in (int[])[28, 70, 100])
        {
            var options = Pictures.Cropped(size, 28) with { Channels = ChannelOrder.Gray };
            Assert.Equal(
                Torchvision(grey, Width, Height, size, 28, Interpolation.Bilinear).Chunk(3).Select(pixel => pixel[0]),
                new ImagePreprocessor(options).Preprocess(Pictures.Png(Width, Height, rgb)));
        }
    }

    public static TheoryData<string> Levels() => [.. Enum.GetNames<SimdLevel>()];

    private static byte[] Torchvision(byte[] rgb, int width, int height, int shorter, int crop, Interpolation interpolation)
    {
        var (newWidth, newHeight) = width <= height ? (shorter, (int)((double)shorter * height / width)) : ((int)((double)shorter * width / height), shorter);
        var resized = PillowReference.Resize(rgb, width, height, newWidth, newHeight, interpolation);

        int left = newWidth >= crop ? (int)Math.Round((newWidth - crop) / 2.0) : -((crop - newWidth) / 2);
        int top = newHeight >= crop ? (int)Math.Round((newHeight - crop) / 2.0) : -((crop - newHeight) / 2);
        var cropped = new byte[crop * crop * 3];
        for (var y = 0; y < crop; y++)
        {
            for (var x = 0; x < crop; x++)
            {
                if (x + left >= 0 && x + left < newWidth && y + top >= 0 && y + top < newHeight)
                    resized.AsSpan((((y + top) * newWidth) + x + left) * 3, 3).CopyTo(cropped.AsSpan(((y * crop) + x) * 3));
            }
        }

        return cropped;
    }
}
