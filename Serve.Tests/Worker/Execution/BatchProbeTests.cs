using Serve.Core.Configuration;
using Serve.Core.Handlers;
using Serve.Core.Onnx;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Tests.Worker.Execution;

/// <summary>A first dimension that nobody has said to be a batch is tried before it is taken for one.</summary>
public sealed class BatchProbeTests
{
    private static readonly ModelConfiguration Checked = new() { BatchSize = 8, BatchDimension = BatchDimension.Checked };

    [Theory]
    [InlineData("Softmax")]
    [InlineData("LpNormalization")]
    public void A_model_that_computes_across_its_first_dimension_runs_requests_one_by_one(string operation)
    {
        using var folder = new TemporaryFolder();
        SmallModels.Write(folder["model.onnx"], graph =>
            graph.Output(graph.Node("y", operation, [graph.Input("x", DataType.Float, "n", 3)], OnnxAttribute.Int("axis", 0)), DataType.Float, "n", 3));
        using var worker = WorkerConnection.StartReady(folder.Path, Checked);

        Assert.Equal(RowBatching.None, worker.Ready!.Signature!.Batching);
        Assert.StartsWith("requests run one by one: The model's output 'y' for a request depends on what else is in its batch", Assert.Single(worker.Ready.Notes!), StringComparison.Ordinal);

        // What the probe has seen of the outputs of batches is not what they are now.
        worker.Run(1, """{"x":[[1,2,3],[1,2,3]]}""");
        Assert.Equal(200, worker.ReadAnswer().Status);
        worker.Run(2, """{"x":[[1,2,3]]}""");
        Assert.Equal(200, worker.ReadAnswer().Status);
    }

    [Fact]
    public void A_model_that_mixes_up_the_order_of_rows_does_too()
    {
        using var folder = new TemporaryFolder();
        SmallModels.Write(folder["model.onnx"], graph =>
        {
            var x = graph.Input("x", DataType.Int64, "n", "m");
            graph.Output(graph.Node("y", "Slice", [x, graph.Constant("starts", -1), graph.Constant("ends", long.MinValue), graph.Constant("axes", 0), graph.Constant("steps", -1)]), DataType.Int64, "n", "m");
        });
        using var worker = WorkerConnection.StartReady(folder.Path, Checked);

        Assert.Equal(RowBatching.None, worker.Ready!.Signature!.Batching);
    }

    [Fact]
    public void Rows_that_are_answered_alike_alone_and_together_are_batched()
    {
        foreach (var type in SmallModels.AllTypes)
        {
            using var folder = new TemporaryFolder();
            SmallModels.Identity(folder["model.onnx"], type, "batch", "n");
            using var worker = WorkerConnection.StartReady(folder.Path, Checked);
            Assert.True(worker.Ready!.Signature!.Batching == RowBatching.Dynamic, $"{type}: {string.Join(' ', worker.Ready.Notes!)}");
        }

        using var indices = new TemporaryFolder();
        SmallModels.Lookup(indices["model.onnx"]);
        using var lookup = WorkerConnection.StartReady(indices.Path, Checked);
        Assert.Equal(RowBatching.Dynamic, lookup.Ready!.Signature!.Batching);
    }

    [Fact]
    public void What_cannot_be_tried_is_not_taken_for_a_batch()
    {
        using var folder = new TemporaryFolder();

        // An index of 0 or 1 is beyond the table of none.
        SmallModels.Write(folder["model.onnx"], graph =>
            graph.Output(graph.Node("y", "Gather", [graph.Constant("table"), graph.Input("index", DataType.Int64, "batch", "n")]), DataType.Int64, "batch", "n"));
        using var worker = WorkerConnection.StartReady(folder.Path, Checked);

        Assert.Equal(RowBatching.None, worker.Ready!.Signature!.Batching);
        Assert.Contains(worker.Ready.Notes!, note => note.Contains("could not be tried", StringComparison.Ordinal));
    }
}
