using System.Runtime.InteropServices;
using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Onnx;
using Serve.Core.Onnx.Format;
using Serve.Tests.Worker.Images;
using Serve.Worker.Execution.Loading;
using Serve.Worker.Images;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Tests.Worker.Execution.Loading;

public sealed class PixelNormalizationTests : IDisposable
{
    private const int Side = 40;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(TensorLayout.Nchw, ChannelOrder.Rgb, false)]
    [InlineData(TensorLayout.Nchw, ChannelOrder.Bgr, false)]
    [InlineData(TensorLayout.Nchw, ChannelOrder.Gray, false)]
    [InlineData(TensorLayout.Nhwc, ChannelOrder.Rgb, false)]
    [InlineData(TensorLayout.Nhwc, ChannelOrder.Gray, false)]
    [InlineData(TensorLayout.Nchw, ChannelOrder.Rgb, true)]
    public void A_photo_reaches_the_model_as_the_same_numbers(TensorLayout layout, ChannelOrder order, bool half)
    {
        var channels = order == ChannelOrder.Gray ? 1 : 3;
        var type = half ? DataType.Float16 : DataType.Float;
        var model = Identity(type, layout == TensorLayout.Nchw ? ["batch", channels, Side, Side] : ["batch", Side, Side, channels]);
        var configuration = Configuration(new PreprocessingConfiguration
        {
            Channels = order,
            Mean = channels == 1 ? [0.286] : [0.485, 0.456, 0.406],
            Std = channels == 1 ? [0.353] : [0.229, 0.224, 0.225],
        });
        var input = GraphInputs.Of(model)![0];
        var photo = File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Data", "images", "photos", "chelsea.jpg"));
        var expected = Floats(new ImagePreprocessor(PreprocessingResolver.Resolve(configuration.Preprocessing, input)).Preprocess(photo), half);

        var normalization = PixelNormalization.For([input], configuration);
        normalization.Prepend(model);
        using var session = new InferenceSession(model.ToByteArray());
        var pixelInput = GraphInputs.Of(model)![0];
        var pixels = new ImagePreprocessor(PreprocessingResolver.Resolve(normalization.Remaining(configuration.Preprocessing), pixelInput)).Preprocess(photo);

        Assert.Equal(channels * Side * Side, pixels.Length);
        Assert.Equal((TensorElement.UInt8, "x_uint8"), (pixelInput.ElementType, pixelInput.Name));
        Assert.Equal([-1, Side, Side, channels], pixelInput.Shape);
        Assert.Equivalent(pixelInput, normalization.Input, strict: true);
        var actual = Run(session, pixels, [1, Side, Side, channels], half);
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < actual.Length; i++) Assert.Equal(expected[i], actual[i], half ? 2e-3 : 2e-6);
    }

    [Fact]
    public void Sizes_that_the_model_leaves_open_stay_open()
    {
        var model = Identity(DataType.Float, ["batch", 3, "height", "width"]);

        var normalization = PixelNormalization.For(GraphInputs.Of(model), Configuration(new PreprocessingConfiguration()));
        normalization.Prepend(model);

        Assert.Equal([-1, -1, -1, 3], GraphInputs.Of(model)![0].Shape);
        Assert.Equal([-1, -1, -1, 3], normalization.Input.Shape);
        Assert.Equal("height", model.Graph.Input[0].Type.TensorType.Shape.Dim[1].DimParam);
    }

    [Fact]
    public void The_operator_set_may_be_called_by_its_name()
    {
        var model = Identity(DataType.Float, ["batch", 3, Side, Side]);
        foreach (var set in model.OpsetImport.Where(set => set.Domain.Length == 0)) set.Domain = "ai.onnx";

        PixelNormalization.For(GraphInputs.Of(model), Configuration(new PreprocessingConfiguration())).Prepend(model);

        using var session = new InferenceSession(model.ToByteArray());
        Assert.Equal(["x_uint8"], session.InputNames);
    }

    [Fact]
    public void What_decides_about_the_numbers_is_in_the_fingerprint()
    {
        var inputs = GraphInputs.Of(Identity(DataType.Float, ["batch", 3, Side, Side]));
        string Of(PreprocessingConfiguration preprocessing) => PixelNormalization.For(inputs, Configuration(preprocessing)).Fingerprint;

        string[] all = [Of(new()), Of(new() { Mean = [0.5] }), Of(new() { Std = [0.5] }), Of(new() { Scale = 1 })];

        Assert.Equal(4, all.Distinct().Count());
    }

    [Theory]
    [InlineData("tensor", "is for the handlers image_classifier and image_embedder; tensor makes its tensors itself")]
    [InlineData("lib.dll:My.Handler", "lib.dll:My.Handler makes its tensors itself")]
    public void Other_handlers_make_their_own_tensors(string handler, string message)
    {
        var inputs = GraphInputs.Of(Identity(DataType.Float, ["batch", 3, Side, Side]));

        var error = Assert.Throws<InvalidModelException>(() => PixelNormalization.For(inputs, new ModelConfiguration { Handler = handler }));

        Assert.Contains("preprocessing.normalizeInModel", error.Message, StringComparison.Ordinal);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_that_takes_bytes_already_or_no_picture_is_refused()
    {
        Assert.Contains("takes bytes already", Refused(Identity(DataType.Uint8, ["batch", 3, Side, Side])), StringComparison.Ordinal);
        Assert.Contains("'x' has 2 dimensions", Refused(Identity(DataType.Float, ["batch", 10])), StringComparison.Ordinal);
        Assert.Contains("pictures become Float32", Refused(Identity(DataType.Double, ["batch", 3, Side, Side])), StringComparison.Ordinal);

        var two = Identity(DataType.Float, ["batch", 3, Side, Side]);
        two.Graph.Input.Add(new ValueInfoProto { Name = "scale", Type = two.Graph.Input[0].Type });
        Assert.Contains("this one has 2: 'x', 'scale'", Refused(two), StringComparison.Ordinal);
    }

    [Fact]
    public void Operators_without_broadcasting_are_refused()
    {
        var model = Identity(DataType.Float, ["batch", 3, Side, Side]);
        model.OpsetImport[0].Version = 6;
        var normalization = PixelNormalization.For(GraphInputs.Of(model), Configuration(new PreprocessingConfiguration()));

        Assert.Contains("the model has 6", Assert.Throws<InvalidModelException>(() => normalization.Prepend(model)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_worker_answers_as_PyTorch_does_and_takes_a_quarter_of_the_bytes()
    {
        var configuration = FashionData.Configuration with { Preprocessing = FashionData.Configuration.Preprocessing with { NormalizeInModel = true } };
        using var worker = WorkerConnection.StartReady(FashionData.ModelFolder, configuration);
        var logits = FashionData.ReferenceLogits();
        var labels = System.Text.Json.JsonDocument.Parse(File.ReadAllText(Path.Combine(FashionData.ModelFolder, "index_to_name.json"))).RootElement;

        var input = Assert.Single(worker.Ready!.Signature!.Inputs);
        Assert.Equal(("pixel_values_uint8", TensorElement.UInt8), (input.Name, input.ElementType));
        Assert.Equal([-1, 28, 28, 3], input.Shape);
        for (var i = 0; i < 50; i++)
        {
            worker.Run((ulong)i, FashionData.Picture(i));
            var answer = worker.ReadAnswer();
            Assert.True(answer.Status == 200, answer.Text);
            var row = logits.AsSpan(i * 10, 10).ToArray();
            var best = Array.IndexOf(row, row.Max());
            var first = answer.Json.EnumerateObject().First();
            Assert.Equal(labels.GetProperty(best.ToString(System.Globalization.CultureInfo.InvariantCulture)).GetString(), first.Name);
            Assert.Equal(1 / row.Sum(value => Math.Exp(value - row[best])), first.Value.GetDouble(), 1e-4);
        }
    }

    private static string Refused(ModelProto model) =>
        Assert.Throws<InvalidModelException>(() => PixelNormalization.For(GraphInputs.Of(model), Configuration(new PreprocessingConfiguration()))).Message;

    private static ModelConfiguration Configuration(PreprocessingConfiguration preprocessing) =>
        new() { Handler = "image_classifier", Preprocessing = preprocessing with { NormalizeInModel = true } };

    private ModelProto Identity(DataType type, OnnxDimension[] shape)
    {
        SmallModels.Identity(_folder["model.onnx"], type, shape);
        return ModelProto.Parser.ParseFrom(File.ReadAllBytes(_folder["model.onnx"]));
    }

    private static float[] Run(InferenceSession session, byte[] pixels, long[] shape, bool half)
    {
        using var run = new RunOptions();
        using var input = OrtValue.CreateTensorValueFromMemory(pixels, shape);
        using var outputs = session.Run(run, session.InputNames, [input], session.OutputNames);
        return Floats(outputs[0].GetTensorMutableRawData().ToArray(), half);
    }

    private static float[] Floats(byte[] bytes, bool half) => half
        ? [.. MemoryMarshal.Cast<byte, Half>(bytes).ToArray().Select(value => (float)value)]
        : MemoryMarshal.Cast<byte, float>(bytes).ToArray();
}
