using System.Globalization;
using System.Runtime.InteropServices;
using Serve.Core.Onnx;
using Serve.Core.Onnx.Format;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Tests.Core.Onnx;

public sealed class OnnxModelWriterTests : IDisposable
{
    private static readonly OnnxModelHeader Header = new(OperatorSet: 17, IrVersion: 8, Producer: "test", Description: "");

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Weights_lie_page_aligned_where_the_model_file_says()
    {
        var graph = new OnnxGraphBuilder("graph", "weights.bin");
        graph.Weight("small", DataType.Float, 3);
        graph.Weight("many_pieces", DataType.Float, 700, 1000);
        graph.Weight("half", DataType.Float16, 2, 5);
        var model = graph.Build(Header);

        OnnxModelWriter.Write(model, new Counting(), _folder.Path, "model.onnx", written: null, TestContext.Current.CancellationToken);

        var data = File.ReadAllBytes(_folder["weights.bin"]);
        var read = ModelProto.Parser.ParseFrom(File.ReadAllBytes(_folder["model.onnx"]));
        Assert.Equal(model.TotalBytes, data.Length + new FileInfo(_folder["model.onnx"]).Length);
        Assert.All(read.Graph.Initializer, tensor =>
        {
            var external = tensor.ExternalData.ToDictionary(entry => entry.Key, entry => entry.Value);
            var offset = int.Parse(external["offset"], CultureInfo.InvariantCulture);
            var bytes = data.AsSpan(offset, int.Parse(external["length"], CultureInfo.InvariantCulture));
            Assert.Equal("weights.bin", external["location"]);
            Assert.Equal(TensorProto.Types.DataLocation.External, tensor.DataLocation);
            Assert.Equal(0, offset % 4096);

            var count = tensor.Dims.Aggregate(1L, (product, size) => product * size);
            var values = tensor.DataType == (int)DataType.Float16
                ? [.. MemoryMarshal.Cast<byte, Half>(bytes).ToArray().Select(half => (float)half)]
                : MemoryMarshal.Cast<byte, float>(bytes).ToArray();
            Assert.Equal(Enumerable.Range(0, (int)count).Select(i => (float)i), values);
        });
    }

    [Fact]
    public void A_file_that_is_there_is_not_overwritten()
    {
        File.WriteAllText(_folder["weights.bin"], "precious");
        var graph = new OnnxGraphBuilder("graph", "weights.bin");
        graph.Weight("w", DataType.Float, 3);

        Assert.Throws<IOException>(() => OnnxModelWriter.Write(
            graph.Build(Header), new Counting(), _folder.Path, "model.onnx", written: null, TestContext.Current.CancellationToken));
        Assert.Equal("precious", File.ReadAllText(_folder["weights.bin"]));
    }

    [Fact]
    public void A_failure_while_writing_is_thrown_as_itself()
    {
        var graph = new OnnxGraphBuilder("graph", "weights.bin");
        graph.Weight("w", DataType.Float, 2000, 1000);

        var failure = Assert.Throws<InvalidDataException>(() => OnnxModelWriter.Write(
            graph.Build(Header), new Failing(), _folder.Path, "model.onnx", written: null, TestContext.Current.CancellationToken));
        Assert.Equal("no weight called w", failure.Message);
    }

    [Fact]
    public void A_name_used_twice_and_a_value_that_nothing_makes_are_refused_while_building()
    {
        var graph = new OnnxGraphBuilder("graph", "data");
        var x = graph.Input("x", DataType.Float, "batch", 3);

        Assert.Throws<ArgumentException>(() => graph.Weight("x", DataType.Float, 3));
        Assert.Throws<ArgumentException>(() => graph.Node("y", "Add", [x, new OnnxValue("nowhere")]));
        Assert.Throws<ArgumentException>(() => graph.Output(new OnnxValue("nowhere"), DataType.Float, 3));
        Assert.Throws<ArgumentException>(() => graph.Weight("w", DataType.Int64, 3));
    }

    [Fact]
    public void Fields_that_are_not_in_our_proto_survive_reading_and_writing()
    {
        // Field 20, training_info, of a ModelProto: one that Serve does not know.
        byte[] bytes = [0x08, 0x08, 0xA2, 0x01, 0x02, 0x0A, 0x00];

        var model = ModelProto.Parser.ParseFrom(bytes);

        Assert.Equal(8, model.IrVersion);
        Assert.Equal(bytes, Google.Protobuf.MessageExtensions.ToByteArray(model));
    }

    private sealed class Failing : IWeightSource
    {
        public void Fill(OnnxWeight weight, long firstElement, Span<float> destination) =>
            throw new InvalidDataException($"no weight called {weight.Name}");
    }

    /// <summary>Element i is i.</summary>
    private sealed class Counting : IWeightSource
    {
        public void Fill(OnnxWeight weight, long firstElement, Span<float> destination)
        {
            for (var i = 0; i < destination.Length; i++)
            {
                destination[i] = firstElement + i;
            }
        }
    }
}
