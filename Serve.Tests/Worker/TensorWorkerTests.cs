using System.Text;
using Serve.Core.Configuration;
using Serve.Core.Handlers;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Tests.Worker;

/// <summary>Requests of tensors, as the Open Inference Protocol's come to a worker: past the handler, to the model's inputs and outputs.</summary>
public sealed class TensorWorkerTests : IDisposable
{
    private readonly HandlerModel _model = new();

    public static TheoryData<int> Types => [.. SmallModels.AllTypes.Select(type => (int)type)];

    public void Dispose() => _model.Dispose();

    [Theory]
    [MemberData(nameof(Types))]
    public void Tensors_of_every_type_come_back_bit_for_bit_whatever_their_shape(int type)
    {
        SmallModels.Identity(_model.File("model.onnx"), (DataType)type, "batch", "n", "m");
        using var worker = StartReady();
        var element = worker.Ready!.Signature!.Inputs[0].ElementType;
        var random = new Random(type);
        long[][] shapes = [[1, 1, 1], [0, 2, 3], [2, 0, 3], [0, 0, 0], [8, 3, 2], [1, 700, 13], [3, 3, 2], [1, 0, 0], .. Enumerable.Range(0, 40).Select(_ => new long[] { random.Next(1, 4), random.Next(4), random.Next(4) })];
        var sent = shapes.Select(shape => TestTensor.Random("x", element, shape, random)).ToList();

        for (var i = 0; i < sent.Count; i++) worker.RunTensors((ulong)i, [sent[i]], flush: false);
        worker.Flush();

        foreach (var answer in worker.ReadAnswers(sent.Count)) Assert.Equal(sent[(int)answer.Id] with { Name = "y" }, Assert.Single(answer.Tensors));
    }

    [Fact]
    public void A_scalar_and_a_model_without_a_batch_dimension_take_whole_tensors()
    {
        SmallModels.Identity(_model.File("model.onnx"), DataType.Float);
        using (var worker = StartReady())
        {
            worker.RunTensors(1, [TestTensor.Of("x", TensorElement.Float32, [], 1.5f)]);
            Assert.Equal(TestTensor.Of("y", TensorElement.Float32, [], 1.5f), Assert.Single(worker.ReadAnswer().Tensors));
        }

        SmallModels.Identity(_model.File("model.onnx"), DataType.Int32, 2, 2);
        using (var worker = StartReady())
        {
            for (var i = 0; i < 10; i++) worker.RunTensors((ulong)i, [TestTensor.Of("x", TensorElement.Int32, [2, 2], i, i, i, i)], flush: false);
            worker.Flush();
            Assert.All(worker.ReadAnswers(10), answer => Assert.Equal(TestTensor.Of("y", TensorElement.Int32, [2, 2], (int)answer.Id, (int)answer.Id, (int)answer.Id, (int)answer.Id), Assert.Single(answer.Tensors)));
        }
    }

    [Fact]
    public void A_dimension_that_is_fixed_to_nothing_is_served()
    {
        SmallModels.Identity(_model.File("model.onnx"), DataType.Float, 2, 0);
        using var worker = StartReady();

        worker.RunTensors(1, [TestTensor.Of<float>("x", TensorElement.Float32, [2, 0])]);

        Assert.Equal(TestTensor.Of<float>("y", TensorElement.Float32, [2, 0]), Assert.Single(worker.ReadAnswer().Tensors));
    }

    [Fact]
    public void A_model_with_a_fixed_batch_of_one_takes_one_row()
    {
        SmallModels.Identity(_model.File("model.onnx"), DataType.Int32, 1, 2);
        using var worker = StartReady();

        for (var i = 0; i < 10; i++) worker.RunTensors((ulong)i, [TestTensor.Of("x", TensorElement.Int32, [1, 2], i, -i)], flush: false);
        worker.RunTensors(10, [TestTensor.Of("x", TensorElement.Int32, [2, 2], 1, 2, 3, 4)]);

        foreach (var answer in worker.ReadAnswers(11))
        {
            if (answer.Id < 10) Assert.Equal(TestTensor.Of("y", TensorElement.Int32, [1, 2], (int)answer.Id, -(int)answer.Id), Assert.Single(answer.Tensors));
            else Assert.Equal(400, answer.Status);
        }
    }

    [Theory]
    [InlineData((int)DataType.Int32, TensorElement.Int32)]
    [InlineData((int)DataType.Int8, TensorElement.Int8)]
    public void Requests_of_several_rows_share_batches_and_get_the_outputs_that_they_name(int type, TensorElement element)
    {
        SmallModels.AddSubtract(_model.File("model.onnx"), (DataType)type);
        using var worker = StartReady();
        var random = new Random(3);
        var requests = Enumerable.Range(0, 60).Select(_ => random.Next(1, 9)).Select(rows => (A: Numbers(rows), B: Numbers(rows))).ToList();
        for (var i = 0; i < requests.Count; i++)
        {
            (string, string)[] outputs = (i % 3) switch { 0 => [], 1 => [(":output", "OUTPUT1")], _ => [("other", "parameter")] };
            worker.RunTensors((ulong)i, [Tensor("INPUT0", requests[i].A), Tensor("INPUT1", requests[i].B)], flush: false, outputs);
        }

        worker.Flush();
        foreach (var answer in worker.ReadAnswers(requests.Count))
        {
            var (a, b) = requests[(int)answer.Id];
            var sum = Tensor("OUTPUT0", [.. a.Zip(b, static (x, y) => x + y)]);
            var difference = Tensor("OUTPUT1", [.. a.Zip(b, static (x, y) => x - y)]);
            Assert.Equal(answer.Id % 3 == 1 ? [difference] : [sum, difference], answer.Tensors);
            Assert.InRange(answer.Times.BatchRows, (uint)a.Length / 16, 8u);
        }

        int[] Numbers(int rows) => [.. Enumerable.Range(0, rows * 16).Select(_ => random.Next(-64, 64))];

        TestTensor Tensor(string name, int[] values) => element == TensorElement.Int32
            ? TestTensor.Of<int>(name, element, [values.Length / 16, 16], values)
            : TestTensor.Of<sbyte>(name, element, [values.Length / 16, 16], [.. values.Select(value => (sbyte)value)]);
    }

    [Fact]
    public void Texts_are_added_as_texts()
    {
        SmallModels.AddSubtractTexts(_model.File("model.onnx"));
        using var worker = StartReady();
        var numbers = Enumerable.Range(0, 16).Select(value => $"{value}").ToArray();

        worker.RunTensors(1, [TestTensor.OfTexts("INPUT0", [1, 16], numbers), TestTensor.OfTexts("INPUT1", [1, 16], numbers)], flush: false);
        worker.RunTensors(2, [TestTensor.OfTexts("INPUT0", [1, 16], numbers), TestTensor.OfTexts("INPUT1", [1, 16], [.. numbers[1..], "none"])]);
        var answers = worker.ReadAnswers(2).ToDictionary(answer => answer.Id);

        Assert.Equal(TestTensor.OfTexts("OUTPUT0", [1, 16], [.. Enumerable.Range(0, 16).Select(value => $"{2 * value}")]), answers[1].Tensors[0]);
        Assert.InRange(answers[2].Status, 400, 500); // ONNX Runtime does not say whose fault a text is that is no number
    }

    [Fact]
    public void What_the_model_does_not_take_is_refused_with_the_reason_and_neighbours_are_unharmed()
    {
        SmallModels.AddSubtract(_model.File("model.onnx"), DataType.Int32);
        using var worker = StartReady();
        var good = new[] { Input("INPUT0", 1, 16), Input("INPUT1", 1, 16) };
        (string Message, TestTensor[] Tensors, (string, string)[] Headers)[] bad =
        [
            ("There is no input 'INPUT2'; the inputs are 'INPUT0', 'INPUT1'", [good[0], Input("INPUT2", 1, 16)], []),
            ("The input 'INPUT1' is missing", [good[0]], []),
            ("The input 'INPUT0' is missing", [], []),
            ("The input 'INPUT0' is there twice", [good[0], good[0]], []),
            ("'INPUT0' takes INT32; the request has FP32", [good[0] with { Element = TensorElement.Float32 }, good[1]], []),
            ("'INPUT1' takes the shape [-1,16]; the request has [1,17]", [good[0], Input("INPUT1", 1, 17)], []),
            ("'INPUT1' takes the shape [-1,16]; the request has [16]", [good[0], Input("INPUT1", 16)], []),
            ("'INPUT0' has 60 bytes of data; INT32[1,16] takes 64", [good[0] with { Data = new byte[60] }, good[1]], []),
            ("'INPUT0' has the shape [1152921504606846976,16], which no tensor has", [good[0] with { Shape = [1L << 60, 16], Data = new byte[64] }, good[1]], []),
            ("'INPUT1' has 2, one before it 1", [good[0], Input("INPUT1", 2, 16)], []),
            ("1 to 8 rows, because batchSize is 8; this one has 9", [Input("INPUT0", 9, 16), Input("INPUT1", 9, 16)], []),
            ("The model has no output 'z'; its outputs are 'OUTPUT0', 'OUTPUT1'", good, [(":output", "z")]),
        ];

        ulong id = 0;
        foreach (var (_, tensors, headers) in bad)
        {
            worker.RunTensors(id++, tensors, flush: false, headers);
            worker.RunTensors(1000 + id, good, flush: false);
        }

        worker.Flush();
        var answers = worker.ReadAnswers(2 * bad.Length);
        Assert.All(answers.Where(answer => answer.Id >= 1000), answer => Assert.Equal(2, answer.Tensors.Count));
        foreach (var answer in answers.Where(answer => answer.Id < 1000))
        {
            Assert.Equal((400, "BadRequestException"), (answer.Status, answer.Error.Type));
            Assert.Contains(bad[(int)answer.Id].Message, answer.Error.Message, StringComparison.Ordinal);
        }

        static TestTensor Input(string name, params long[] shape) => TestTensor.Of<int>(name, TensorElement.Int32, shape, new int[shape.Aggregate(1L, static (all, size) => all * size)]);
    }

    [Fact]
    public void Broken_strings_and_truth_values_are_refused()
    {
        SmallModels.Identity(_model.File("model.onnx"), DataType.String, "batch", 1);
        using (var worker = StartReady())
        {
            worker.RunTensors(1, [new TestTensor("x", TensorElement.String, [1, 1], [255, 255, 255, 255])]);
            Assert.Contains("whose length reaches beyond the data", worker.ReadAnswer().Error.Message, StringComparison.Ordinal);
            worker.RunTensors(2, [TestTensor.OfTexts("x", [2, 1], "a")]);
            Assert.Contains("has 1 BYTES elements; BYTES[2,1] takes 2", worker.ReadAnswer().Error.Message, StringComparison.Ordinal);
        }

        SmallModels.Identity(_model.File("model.onnx"), DataType.Bool, "batch", 1);
        using (var worker = StartReady())
        {
            worker.RunTensors(1, [new TestTensor("x", TensorElement.Bool, [1, 1], [2])]);
            Assert.Contains("neither 0 nor 1", worker.ReadAnswer().Error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Requests_of_tensors_and_of_the_handler_s_own_format_share_a_model()
    {
        SmallModels.Identity(_model.File("model.onnx"), DataType.Int32, "batch", 2);
        using var worker = StartReady();

        for (var i = 0; i < 20; i += 2)
        {
            worker.RunTensors((ulong)i, [TestTensor.Of("x", TensorElement.Int32, [1, 2], i, i)], flush: false);
            worker.Run((ulong)i + 1, Encoding.UTF8.GetBytes($"[{i + 1},{i + 1}]"), flush: false);
        }

        worker.Flush();
        foreach (var answer in worker.ReadAnswers(20))
        {
            if (answer.Id % 2 == 0) Assert.Equal(TestTensor.Of("y", TensorElement.Int32, [1, 2], (int)answer.Id, (int)answer.Id), Assert.Single(answer.Tensors));
            else Assert.Equal($"[{answer.Id},{answer.Id}]", answer.Text);
        }
    }

    private WorkerConnection StartReady() => WorkerConnection.StartReady(_model.Folder, new ModelConfiguration { BatchSize = 8 });
}
