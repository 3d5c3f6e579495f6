using Serve.Frontend.Inference;

namespace Serve.Tests.Frontend.Inference;

public sealed class PredictionPathTests
{
    [Theory]
    [InlineData("/predictions/vit", "vit", "")]
    [InlineData("/predictions/vit/1.0", "vit", "1.0")]
    [InlineData("/predictions/ä b/2", "ä b", "2")]
    public void A_model_and_its_version_are_taken_from_the_path(string path, string model, string version)
    {
        Assert.True(PredictionPath.TryParse(path, out var foundModel, out var foundVersion));
        Assert.Equal((model, version), (foundModel.ToString(), foundVersion.ToString()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("/predictions")]
    [InlineData("/predictions/")]
    [InlineData("/predictions/vit/")]
    [InlineData("/predictions//1.0")]
    [InlineData("/predictions/vit/1.0/")]
    [InlineData("/predictions/vit/1.0/v1/things")]
    [InlineData("/predictions/a%2Fb")]
    [InlineData("/Predictions/vit")]
    [InlineData("/ping")]
    public void Whatever_is_unusual_is_left_to_routing(string path) => Assert.False(PredictionPath.TryParse(path, out _, out _));
}
