using Google.Protobuf;
using Serve.Core.Models.Creation;
using Serve.Core.Onnx;
using Serve.Core.Onnx.Format;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Tests.Core.Onnx;

public sealed class OnnxOutlineReaderTests
{
    [Fact]
    public void Everything_but_large_values_is_read()
    {
        var model = Model();
        var expected = model.Clone();
        expected.Graph.Initializer[1].ClearRawData();
        expected.Graph.Node[1].Attribute[0].T.FloatData.Clear();
        expected.Graph.Node[2].Attribute[0].G.Initializer[0].ClearRawData();

        Assert.Equal(expected, Read(model.ToByteArray()));
    }

    [Fact]
    public void The_bundled_model_keeps_its_nodes_and_shapes()
    {
        var outline = OnnxOutlineReader.ReadFile(Path.Combine(Repository.Root, "model-store", "fashion-vit", "1.0", "model.onnx"));

        Assert.Contains(outline.Graph.Node, node => node.OpType == "Softmax");
        Assert.All(outline.Graph.Initializer, weight => Assert.False(string.IsNullOrEmpty(weight.Name)));
        Assert.True(outline.CalculateSize() < 200_000, $"{outline.CalculateSize()} bytes");
    }

    [Fact]
    public void A_large_created_model_is_its_own_outline()
    {
        var vit = new VisionTransformerConfiguration { Layers = 2, Width = 64, Heads = 4, MlpWidth = 128 };
        var model = VisionTransformerGraph.Build("vit", vit, WeightPrecision.Float32, "weights").Proto;

        Assert.Equal(model, Read(model.ToByteArray()));
    }

    [Fact]
    public void Every_truncation_is_refused()
    {
        var bytes = Model().ToByteArray();
        for (var length = 0; length < bytes.Length; length += 7)
        {
            // Where a whole field happens to end the rest is a smaller model, and no error.
            var error = Record.Exception(() => Read(bytes[..length]));
            Assert.True(error is null or InvalidDataException, $"{length}: {error}");
        }

        Assert.Throws<InvalidDataException>(() => Read(bytes[..(bytes.Length / 2)]));
    }

    [Fact]
    public void A_length_beyond_the_file_is_refused_before_anything_is_allocated()
    {
        // The graph's field, and a length of 2^62.
        byte[] bytes = [0x3A, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40];

        Assert.Contains("cut off", Assert.Throws<InvalidDataException>(() => Read(bytes)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Graphs_in_graphs_end_somewhere()
    {
        var graph = new GraphProto { Name = "innermost" };
        for (var i = 0; i < 40; i++)
        {
            var node = new NodeProto { OpType = "If" };
            node.Attribute.Add(new AttributeProto { Name = "then_branch", G = graph });
            graph = new GraphProto();
            graph.Node.Add(node);
        }

        Assert.Contains("deep", Assert.Throws<InvalidDataException>(() => Read(new ModelProto { Graph = graph }.ToByteArray())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Noise_is_refused()
    {
        var random = new Random(7);
        for (var i = 0; i < 500; i++)
        {
            var bytes = new byte[random.Next(1, 300)];
            random.NextBytes(bytes);
            var error = Record.Exception(() => Read(bytes));
            Assert.True(error is null or InvalidDataException, error?.ToString());
        }
    }

    private static ModelProto Read(byte[] bytes) => OnnxOutlineReader.Read(new MemoryStream(bytes));

    private static ModelProto Model()
    {
        var model = new ModelProto { IrVersion = 8, ProducerName = "test", Graph = new GraphProto { Name = "graph" } };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 17 });
        model.Graph.Initializer.Add(Tensor("small", 16));
        model.Graph.Initializer.Add(Tensor("large", 4096));
        model.Graph.Node.Add(new NodeProto { OpType = "Add", Input = { "x", "small" }, Output = { "y" }, Attribute = { OnnxAttribute.Ints("many", Enumerable.Range(0, 2000).Select(i => (long)i)) } });

        var values = new TensorProto { DataType = (int)DataType.Float, Dims = { 1000 } };
        values.FloatData.AddRange(Enumerable.Range(0, 1000).Select(i => (float)i));
        model.Graph.Node.Add(new NodeProto { OpType = "Constant", Output = { "c" }, Attribute = { new AttributeProto { Name = "value", T = values, Type = AttributeProto.Types.AttributeType.Tensor } } });

        var inner = new GraphProto { Name = "inner", Initializer = { Tensor("inside", 9000) } };
        model.Graph.Node.Add(new NodeProto { OpType = "Loop", Output = { "l" }, Attribute = { new AttributeProto { Name = "body", G = inner, Type = AttributeProto.Types.AttributeType.Graph } } });
        return model;
    }

    private static TensorProto Tensor(string name, int bytes) =>
        new() { Name = name, DataType = (int)DataType.Uint8, Dims = { bytes }, RawData = ByteString.CopyFrom(new byte[bytes]) };
}
