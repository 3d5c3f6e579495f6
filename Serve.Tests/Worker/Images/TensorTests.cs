using Serve.Core.Configuration;
using Serve.Worker.Images;
using Serve.Worker.Images.Tensors;

namespace Serve.Tests.Worker.Images;

/// <summary>From pixels to the model's numbers.</summary>
public sealed class TensorTests
{
    private const int Width = 45;
    private const int Height = 19;
    private static readonly double[] Mean = [0.485, 0.456, 0.406];
    private static readonly double[] Std = [0.229, 0.224, 0.225];
    private static readonly byte[] Rgb = Pictures.Noise(Width, Height, 1);
    private static readonly byte[] Png = Pictures.Png(Width, Height, Rgb);

    [Theory]
    [MemberData(nameof(Combinations))]
    public void Every_value_is_torch_s_to_the_bit(string level, TensorLayout layout, ChannelOrder order)
    {
        var simd = Pictures.SimdOrSkip(level);
        var options = Pictures.PlainPixels(Width, Height) with
        {
            Element = ImageElement.Float32,
            Layout = layout,
            Channels = order,
            Mean = order == ChannelOrder.Gray ? [0.5] : Mean,
            Std = order == ChannelOrder.Gray ? [0.25] : Std,
        };

        var actual = new ImagePreprocessor(options, simd: simd).Preprocess<float>(Png);

        Assert.Equal(Expected(options), actual);
        Assert.Equal(Expected(options).Select(value => (Half)value), new ImagePreprocessor(options with { Element = ImageElement.Float16 }, simd: simd).Preprocess<Half>(Png));
        Assert.Equal(Levels(options).Select(value => (byte)value), new ImagePreprocessor(options with { Element = ImageElement.UInt8 }, simd: simd).Preprocess(Png));
    }

    [Theory]
    [InlineData(nameof(SimdLevel.Avx2))]
    [InlineData(nameof(SimdLevel.Vector128))]
    public void The_vector_formula_is_exact_for_the_usual_normalizations(string level)
    {
        var simd = Pictures.SimdOrSkip(level);
        foreach (var (mean, std) in (ReadOnlySpan<(double, double)>)[(0.485, 0.229), (0.456, 0.224), (0.406, 0.225), (0.5, 0.5), (0, 1), (0.286, 0.353), (0.48145466, 0.26862954), (0.4578275, 0.26130258), (0.40821073, 0.27577711)])
            Assert.True(new LevelTransform(1.0 / 255, mean, std).IsExact(simd), $"mean {mean}, std {std}");
        Assert.True(new LevelTransform(1, 103.939, 1).IsExact(simd));
        Assert.True(new LevelTransform(1 / 127.5, 1, 1).IsExact(simd));
    }

    [Fact]
    public void An_unusual_deviation_is_exact_too()
    {
        var random = new Random(3);
        for (var i = 0; i < 300; i++)
        {
            var options = Pictures.PlainPixels(Width, Height) with { Element = ImageElement.Float32, Layout = TensorLayout.Nchw, Mean = [random.NextDouble()], Std = [0.01 + random.NextDouble()] };
            Assert.Equal(Expected(options), new ImagePreprocessor(options).Preprocess<float>(Png));
        }
    }

    [Fact]
    public void A_scale_of_one_leaves_levels_as_they_are()
    {
        var options = Pictures.PlainPixels(Width, Height) with { Element = ImageElement.Float32, Scale = 1, Channels = ChannelOrder.Bgr, Layout = TensorLayout.Nchw };

        Assert.Equal(Levels(options).Select(level => (float)level), new ImagePreprocessor(options).Preprocess<float>(Png));
    }

    [Fact]
    public void Padding_is_normalized_black()
    {
        var options = Pictures.PlainPixels(Width + 4, Height) with { Element = ImageElement.Float32, Layout = TensorLayout.Nchw, Mean = Mean, Std = Std };
        var actual = new ImagePreprocessor(options).Preprocess<float>(Png);

        Assert.Equal((0f - (float)Mean[0]) / (float)Std[0], actual[0]);
        Assert.Equal((0f - (float)Mean[2]) / (float)Std[2], actual[^1]);
    }

    [Fact]
    public void Shape_and_size_are_told()
    {
        var preprocessor = new ImagePreprocessor(Pictures.Cropped(256, 224) with { Layout = TensorLayout.Nchw, Element = ImageElement.Float16 });

        Assert.Equal([3, 224, 224], preprocessor.OutputShape);
        Assert.Equal(3 * 224 * 224 * 2, preprocessor.OutputBytes);
        Assert.Throws<ArgumentException>(() => preprocessor.Preprocess(Png, new byte[preprocessor.OutputBytes - 1], CancellationToken.None));
    }

    [Fact]
    public void Nothing_behind_the_tensor_is_written()
    {
        foreach (var element in Enum.GetValues<ImageElement>())
        {
            var preprocessor = new ImagePreprocessor(Pictures.Cropped(33, 31) with { Layout = TensorLayout.Nchw, Element = element });
            var destination = new byte[preprocessor.OutputBytes + 256];
            destination.AsSpan().Fill(0xA5);
            preprocessor.Preprocess(Png, destination.AsSpan(128, preprocessor.OutputBytes), CancellationToken.None);

            Assert.False(destination.AsSpan(0, 128).ContainsAnyExcept((byte)0xA5));
            Assert.False(destination.AsSpan(128 + preprocessor.OutputBytes).ContainsAnyExcept((byte)0xA5));
        }
    }

    public static TheoryData<string, TensorLayout, ChannelOrder> Combinations() => [..
        from simd in Enum.GetNames<SimdLevel>()
        from layout in Enum.GetValues<TensorLayout>()
        from order in Enum.GetValues<ChannelOrder>()
        select new TheoryDataRow<string, TensorLayout, ChannelOrder>(simd, layout, order)];

    private static IEnumerable<float> Expected(ImagePreprocessing options)
    {
        var channel = 0;
        foreach (var level in Levels(options))
        {
            var at = options.Layout == TensorLayout.Nchw ? channel / (Width * Height) : channel % options.ChannelCount;
            float mean = (float)options.Mean[options.Mean.Count == 1 ? 0 : at], std = (float)options.Std[options.Std.Count == 1 ? 0 : at];
            yield return ((level / 255f) - mean) / std;
            channel++;
        }
    }

    /// <summary>The levels in the tensor's order.</summary>
    private static IEnumerable<int> Levels(ImagePreprocessing options)
    {
        var pixels = Rgb.Chunk(3).Select(pixel => options.Channels switch
        {
            ChannelOrder.Rgb => new int[] { pixel[0], pixel[1], pixel[2] },
            ChannelOrder.Bgr => [pixel[2], pixel[1], pixel[0]],
            _ => [((pixel[0] * 19595) + (pixel[1] * 38470) + (pixel[2] * 7471) + 0x8000) >> 16],
        }).ToArray();
        return options.Layout == TensorLayout.Nhwc
            ? pixels.SelectMany(pixel => pixel)
            : Enumerable.Range(0, options.ChannelCount).SelectMany(channel => pixels.Select(pixel => pixel[channel]));
    }
}
