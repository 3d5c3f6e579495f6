using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Scheduling;
using Serve.Worker.Execution;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Tests.Worker.Execution;

/// <summary>Batches that are filled up to a size that can be executed, without a GPU.</summary>
public sealed class PaddedBatchTests
{
    [Theory]
    [InlineData(1, new int[0], new[] { 1 })]
    [InlineData(32, new int[0], new[] { 1, 2, 4, 8, 16, 32 })]
    [InlineData(24, new int[0], new[] { 1, 2, 4, 8, 16, 24 })]
    [InlineData(32, new[] { 8, 1 }, new[] { 1, 8, 32 })]
    [InlineData(4, new[] { 1, 8, 32 }, new[] { 1, 4 })]
    public void Sizes_end_with_the_batch_size(int batchSize, int[] configured, int[] sizes)
    {
        var configuration = new ModelConfiguration { BatchSize = batchSize, Execution = new ExecutionConfiguration { Buckets = configured } };
        Assert.Equal(sizes, BucketSizes.Of(configuration, Signature(RowBatching.Dynamic), hasGraphs: true).Sizes.ToArray());
        Assert.Equal(configured.Length == 0 ? [] : sizes, BucketSizes.Of(configuration, Signature(RowBatching.Dynamic), hasGraphs: false).Sizes.ToArray());
        Assert.True(BucketSizes.Of(configuration, Signature(RowBatching.FixedOne), hasGraphs: false).IsAny);
        Assert.Equal([1], BucketSizes.Of(configuration, Signature(RowBatching.None), hasGraphs: true).Sizes.ToArray());
    }

    [Theory]
    [InlineData(1, 4)]
    [InlineData(3, 4)]
    [InlineData(4, 4)]
    [InlineData(5, 8)]
    public void Each_request_gets_the_outputs_of_its_own_rows_and_nothing_of_the_padding(int count, int size)
    {
        using var folder = new TemporaryFolder();
        using var model = Load(folder, SmallModels.LookupRows);
        using var execution = new BatchExecution(model, BatchBuckets.Of([4, 8]));
        var rows = Enumerable.Range(0, count).Select(_ => new BatchRow(model.Signature, 8)).ToArray();
        for (var i = 0; i < count; i++)
        {
            rows[i].Inputs.Allocate<long>("index", 1)[0] = 3 - (i % 4);
            rows[i].Inputs.Complete();
        }

        using var outputs = execution.Run(rows, CancellationToken.None);
        Assert.Equal([size, 1], outputs!.Shape(0).ToArray());
        for (var i = 0; i < count; i++) Assert.Equal([10L * (4 - (i % 4))], rows[i].Outputs.Elements<long>("y").ToArray());
        foreach (var row in rows) row.Dispose();
    }

    [Fact]
    public void Too_few_strings_are_refused_and_their_row_is_used_again()
    {
        using var folder = new TemporaryFolder();
        using var model = Load(folder, file => SmallModels.Identity(file, DataType.String, "batch", 2));
        using var row = new BatchRow(model.Signature, 8);
        Assert.Throws<BadRequestException>(() => row.Inputs.SetStrings("x", ["left"], 2));
        row.Clear();
        row.Inputs.SetStrings("x", ["left", "right"], 2);
    }

    [Fact]
    public void Strings_are_filled_up_too()
    {
        using var folder = new TemporaryFolder();
        using var model = Load(folder, file => SmallModels.Identity(file, DataType.String, "batch", 2));
        using var execution = new BatchExecution(model, BatchBuckets.Of([4]));
        using var row = new BatchRow(model.Signature, 8);
        row.Inputs.SetStrings("x", ["left", "right"], 2);
        row.Inputs.Complete();

        using var outputs = execution.Run([row], CancellationToken.None);
        Assert.Equal([4, 2], outputs!.Shape(0).ToArray());
        Assert.Equal(["left", "right"], row.Outputs.Strings("y"));
        Assert.Equal(["left", "right"], outputs.Strings(0, 3, 1));
    }

    private static ModelSignature Signature(RowBatching batching) => new([new TensorInfo("x", TensorElement.Float32, [-1, 2])], [new TensorInfo("y", TensorElement.Float32, [-1, 2])], batching);

    private static OnnxModel Load(TemporaryFolder folder, Action<string> write)
    {
        var file = Path.Combine(folder.Path, "model.onnx");
        write(file);
        using var plan = SessionPlan.Create("test", new ModelConfiguration { BatchSize = 8 }, DeviceType.Cpu, 0, 1);
        return OnnxModel.Load(file, plan);
    }
}
