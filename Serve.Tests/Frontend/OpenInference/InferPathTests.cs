using Serve.Frontend.OpenInference.Infer;

namespace Serve.Tests.Frontend.OpenInference;

/// <summary>The paths that are known before routing.</summary>
public sealed class InferPathTests
{
    [Theory]
    [InlineData("/v2/models/m/infer", "m", "")]
    [InlineData("/v2/models/m/versions/1.0/infer", "m", "1.0")]
    [InlineData("/v2/models/versions/infer", "versions", "")]
    [InlineData("/v2/models/infer/infer", "infer", "")]
    [InlineData("/v2/models/a:b c/infer", "a:b c", "")]
    public void They_are_taken_apart(string path, string model, string version)
    {
        Assert.True(InferPath.TryParse(path, out var found, out var of));
        Assert.Equal((model, version), (found.ToString(), of.ToString()));
    }

    [Theory]
    [InlineData("/v2/models/infer")]
    [InlineData("/v2/models//infer")]
    [InlineData("/v2/models/m/versions//infer")]
    [InlineData("/v2/models/m/versions/1/2/infer")]
    [InlineData("/v2/models/m/other/1/infer")]
    [InlineData("/v2/models/m/infer/")]
    [InlineData("/v2/models/a%2Fb/infer")]
    [InlineData("/predictions/m")]
    [InlineData("")]
    public void Others_are_left_to_routing(string path) => Assert.False(InferPath.TryParse(path, out _, out _));
}
