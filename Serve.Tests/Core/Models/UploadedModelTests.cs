using Serve.Core.Errors;
using Serve.Core.Models.Repository;

namespace Serve.Tests.Core.Models;

public sealed class UploadedModelTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("model.onnx", "x", "x/y", "\"x/y\" lies in \"x\", which is a file")]
    [InlineData("model.onnx", "x/y", "x", "\"x\" stands twice")]
    [InlineData("model.onnx", "a", "A", "\"A\" stands twice")]
    [InlineData("model.onnx", "model.onnx", "b", "\"model.onnx\" stands twice")]
    [InlineData("model.onnx", "a//b", "b", "an empty segment")]
    [InlineData("model.onnx", "../b", "b", "the segment ..")]
    [InlineData("model.onnx", "Handler.dll", "b", "is code")]
    public void Files_that_cannot_lie_beside_each_other_are_refused_before_anything_is_written(string first, string second, string third, string why)
    {
        var refused = Assert.ThrowsAny<ServeException>(() => UploadedModel.Pack(_folder["upload"], "m", "1", [File(first), File(second), File(third)]));
        Assert.Equal(400, refused.Status);
        Assert.Contains(why, refused.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder["upload"]));

        static ModelFileContent File(string path) => new(path, new byte[] { 1 });
    }
}
