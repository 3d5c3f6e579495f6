using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Worker.Execution;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Tests.Worker.Execution;

/// <summary>What is taken for a batch, and what the configuration can say about it.</summary>
public sealed class FirstDimensionTests
{
    [Theory]
    [InlineData("batch", "batch", "batch")]
    [InlineData("batch", "", "batch")]
    [InlineData("", "", "")]
    [InlineData("batch", "batch", "Addy_dim_0")]
    [InlineData("unk__12", "unk__13", "unk__14")]
    [InlineData("a_dynamic_axes_1", "b_dynamic_axes_1", "")]
    [InlineData("p2o.DynamicDimension.0", "p2o.DynamicDimension.1", "p2o.DynamicDimension.2")]
    [InlineData("batch", "None", "?")]
    public void Names_that_are_equal_or_made_up_do_not_speak_against_a_batch(string a, string b, string y) =>
        Assert.Null(FirstDimensionNames.Conflict([new("a", a), new("b", b)], [new("y", y)]));

    [Theory]
    [InlineData("n", "m", "n", "the first dimension of 'a' is called n, that of 'b' m")]
    [InlineData("n", "n", "m", "the first dimension of 'a' is called n, that of 'y' m")]
    [InlineData("s0", "s0", "2*s0", "the first dimension of 'a' is called s0, that of 'y' 2*s0")]
    [InlineData("", "n", "m", "the first dimension of 'b' is called n, that of 'y' m")]
    public void Different_names_do(string a, string b, string y, string why) =>
        Assert.Contains(why, FirstDimensionNames.Conflict([new("a", a), new("b", b)], [new("y", y)]), StringComparison.Ordinal);

    [Fact]
    public void Two_sequences_of_different_length_are_not_put_together_with_strangers()
    {
        using var folder = new TemporaryFolder();
        SmallModels.AllPairs(Path.Combine(folder.Path, "model.onnx"));
        using var worker = WorkerConnection.StartReady(folder.Path, new() { BatchSize = 8 });

        Assert.Equal(RowBatching.None, worker.Ready!.Signature!.Batching);
        Assert.Contains("called n, that of 'b' m", Assert.Single(worker.Ready.Notes!), StringComparison.Ordinal);
        for (var i = 0; i < 8; i++) worker.RunTensors((ulong)i, [TestTensor.Of("a", TensorElement.Int32, [1, 1], i), TestTensor.Of("b", TensorElement.Int32, [2, 1], 0, i)], flush: false);
        worker.Flush();
        foreach (var answer in worker.ReadAnswers(8)) Assert.Equal(TestTensor.Of("y", TensorElement.Int32, [1, 2], (int)answer.Id, 2 * (int)answer.Id), Assert.Single(answer.Tensors));
    }

    [Fact]
    public void The_configuration_has_the_last_word()
    {
        using var folder = new TemporaryFolder();
        var file = Path.Combine(folder.Path, "model.onnx");
        SmallModels.Identity(file, DataType.Float, "batch", 2);
        Assert.Equal(RowBatching.Dynamic, Load(file, BatchDimension.Auto));
        Assert.Equal(RowBatching.None, Load(file, BatchDimension.None));

        SmallModels.SumOf(file, "rows", "lines");
        Assert.Equal(RowBatching.None, Load(file, BatchDimension.Auto));
        Assert.Equal(RowBatching.Dynamic, Load(file, BatchDimension.First));

        SmallModels.Identity(file, DataType.Float, 2, 2);
        Assert.Contains("the first dimension of 'x' ([2, 2]) is not dynamic", Assert.Throws<InvalidModelException>(() => Load(file, BatchDimension.First)).Message, StringComparison.Ordinal);

        SmallModels.Doubled(file);
        Assert.Contains("batchDimension is first, but it cannot be. The model's output 'y' has the shape [16, 2] for a batch of 8", WorkerConnection.LoadFailing(folder.Path, new() { BatchSize = 8, BatchDimension = BatchDimension.First, Execution = new() }).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void With_a_batch_size_of_one_a_request_s_tensors_run_as_they_are()
    {
        using var folder = new TemporaryFolder();
        SmallModels.Identity(Path.Combine(folder.Path, "model.onnx"), DataType.Int32, "batch", "n");
        using var worker = WorkerConnection.StartReady(folder.Path, new());
        var random = new Random(1);
        long[][] shapes = [[1, 2], [5, 3], [0, 2], [100, 1], [1, 0]];

        for (var i = 0; i < shapes.Length; i++) worker.RunTensors((ulong)i, [TestTensor.Random("x", TensorElement.Int32, shapes[i], random)], flush: false);
        worker.Run(99, "[7]");

        foreach (var answer in worker.ReadAnswers(shapes.Length + 1))
        {
            if (answer.Id == 99) Assert.Equal("[7]", answer.Text);
            else Assert.Equal(shapes[(int)answer.Id], Assert.Single(answer.Tensors).Shape);
        }
    }

    private static RowBatching Load(string file, BatchDimension batch)
    {
        using var plan = SessionPlan.Create("test", new ModelConfiguration(), DeviceType.Cpu, 0, 1);
        using var model = OnnxModel.Load(file, plan, batch);
        return model.Signature.Batching;
    }
}
