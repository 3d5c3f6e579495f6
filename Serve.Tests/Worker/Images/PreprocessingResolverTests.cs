using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Worker.Images;

namespace Serve.Tests.Worker.Images;

public sealed class PreprocessingResolverTests
{
    private static readonly TensorInfo ImageNet = new("pixels", TensorElement.Float32, [-1, 3, 224, 224]);

    [Fact]
    public void An_imagenet_model_gets_torchserve_s_preprocessing_without_a_word()
    {
        var resolved = PreprocessingResolver.Resolve(new PreprocessingConfiguration(), ImageNet);

        Assert.Equal(256, resolved.ResizeShorterSide);
        Assert.Equal((224, 224), resolved.Crop);
        Assert.Equal([0.485, 0.456, 0.406], resolved.Mean);
        Assert.Equal(TensorLayout.Nchw, resolved.Layout);
        Assert.Equal(ImageElement.Float32, resolved.Element);
        Assert.Equal(ImageFormats.All, resolved.Limits.Formats);
    }

    [Fact]
    public void A_model_of_another_fixed_size_gets_pictures_of_its_size()
    {
        var resolved = PreprocessingResolver.Resolve(new PreprocessingConfiguration(), ImageNet with { Shape = [-1, 3, 28, 30] });

        Assert.Equal((28, 30), resolved.ResizeExactly);
        Assert.Equal((28, 30), resolved.OutputSize);
    }

    [Fact]
    public void Channels_last_is_told_from_the_shape()
    {
        var resolved = PreprocessingResolver.Resolve(new PreprocessingConfiguration(), new TensorInfo("x", TensorElement.UInt8, [1, 64, 48, 3]));

        Assert.Equal(TensorLayout.Nhwc, resolved.Layout);
        Assert.Equal(ImageElement.UInt8, resolved.Element);
        Assert.Equal((64, 48), resolved.OutputSize);
    }

    [Fact]
    public void A_model_of_any_size_takes_the_configured_crop()
    {
        var configuration = new PreprocessingConfiguration { Resize = [336], Crop = [320, 300] };
        var resolved = PreprocessingResolver.Resolve(configuration, ImageNet with { Shape = [-1, 3, -1, -1] });

        Assert.Equal(336, resolved.ResizeShorterSide);
        Assert.Equal((320, 300), resolved.OutputSize);
    }

    [Theory]
    [MemberData(nameof(Contradictions))]
    public void A_contradiction_names_the_key(PreprocessingConfiguration configuration, TensorInfo input, string message)
    {
        var refused = Assert.Throws<InvalidModelException>(() => PreprocessingResolver.Resolve(configuration, input));

        Assert.Contains(message, refused.Message, StringComparison.Ordinal);
    }

    public static TheoryData<PreprocessingConfiguration, TensorInfo, string> Contradictions() => new()
    {
        { new(), new("x", TensorElement.Float32, [-1, 10]), "needs [batch, channel, row, column]" },
        { new(), new("x", TensorElement.Int64, [-1, 3, 224, 224]), "takes Int64; pictures become Float32, Float16 or UInt8" },
        { new(), new("x", TensorElement.Float32, [-1, 1, 224, 224]), "use gray" },
        { new() { Crop = [200] }, ImageNet, "gives pictures of 200x200 (height x width) and input 'pixels' takes 224x224" },
        { new() { Crop = [] }, ImageNet, "crop is missing" },
        { new() { Resize = [1, 2, 3] }, ImageNet, "preprocessing.resize is [1, 2, 3]" },
        { new() { Resize = [0] }, ImageNet, "resize holds 0" },
        { new() { Formats = ["jpeg", "heic"] }, ImageNet, "preprocessing.formats holds 'heic'" },
        { new() { Formats = [] }, ImageNet, "give at least one of jpeg" },
        { new() { Std = [1, 0, 1] }, ImageNet, "std holds a 0" },
        { new() { Mean = [1, 2] }, ImageNet, "mean has 2 values; give 1 or 3" },
        { new() { MaxImagePixels = 0 }, ImageNet, "maxImagePixels is 0" },
    };
}
