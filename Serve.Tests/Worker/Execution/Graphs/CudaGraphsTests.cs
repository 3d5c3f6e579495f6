using Microsoft.Extensions.Logging.Abstractions;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Scheduling;
using Serve.Worker.BuiltIn;
using Serve.Worker.Execution;
using Serve.Worker.Execution.Graphs;
using Serve.Worker.Pipeline;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Tests.Worker.Execution.Graphs;

/// <summary>
/// Everything of CUDA graphs but the GPU: batches through fixed addresses in certain sizes, on a session of the CPU and with the
/// machine's memory as the device's.
/// </summary>
public sealed class CudaGraphsTests
{
    private const int BatchSize = 8;

    private static readonly BatchBuckets Buckets = BatchBuckets.Of([1, 4, BatchSize]);

    [Fact]
    public void Answers_are_the_same_as_without_graphs_for_every_number_of_rows()
    {
        using var world = new World(SmallModels.SumAndDifference);
        world.WarmUp();
        for (var round = 0; round < 20; round++)
        {
            for (var rows = 1; rows <= BatchSize; rows++)
            {
                var (before, outBefore) = (world.Memory.BytesIn, world.Memory.BytesOut);
                world.RunAndCheck(rows);

                // Rows travel, padding does not: two floats in each of two inputs and two outputs.
                Assert.Equal(rows * 16, world.Memory.BytesIn - before);
                Assert.Equal(rows * 16, world.Memory.BytesOut - outBefore);
            }
        }

        Assert.Equal(4, world.Memory.Allocations); // two inputs, two outputs, for all sizes
    }

    [Fact]
    public void A_model_that_refuses_most_numbers_is_padded_with_some_that_it_takes()
    {
        // Only 0 to 3 are indices; the device's memory is full of other numbers at first.
        using var folder = new TemporaryFolder();
        using var model = Load(folder, file => SmallModels.LookupRows(file), out var memory);
        using var slabs = new SlabPools(model.Signature, BatchSize, 1, model.AllocateRows);
        using var execution = new BatchExecution(model, Buckets);
        foreach (var count in new[] { 8, 2, 5, 1 })
        {
            var rows = Enumerable.Range(0, count).Select(_ => new BatchRow(model.Signature, BatchSize, slabs)).ToArray();
            for (var i = 0; i < count; i++)
            {
                rows[i].Inputs.Allocate<long>("index", 1)[0] = i % 4;
                rows[i].Inputs.Complete();
            }

            using var outputs = execution.Run(rows, CancellationToken.None);
            for (var i = 0; i < count; i++) Assert.Equal([10L * (1 + (i % 4))], rows[i].Outputs.Elements<long>("y").ToArray());
            foreach (var row in rows) row.Dispose();
        }

        Assert.True(memory.BytesOut > 0);
    }

    [Fact]
    public void Rows_without_slots_and_requests_of_more_than_the_largest_size_run_without_a_graph()
    {
        using var world = new World(SmallModels.SumAndDifference);
        world.WarmUp();
        var before = world.Memory.BytesIn;
        world.RunAndCheck(3, areInSlabs: false);
        Assert.Equal(before, world.Memory.BytesIn);
        Assert.Null(world.Model.GraphOf(9));
        Assert.Equal(4, world.Model.GraphOf(4)!.Size);
    }

    [Fact]
    public void Until_outputs_have_been_seen_nothing_is_recorded()
    {
        using var world = new World(SmallModels.SumAndDifference);
        var before = world.Memory.BytesIn;
        Assert.Null(world.Model.GraphOf(BatchSize));
        world.RunAndCheck(BatchSize);
        Assert.Equal(before, world.Memory.BytesIn);
        Assert.NotNull(world.Model.GraphOf(BatchSize));
    }

    [Fact]
    public void Whether_the_first_dimension_is_a_batch_is_tried_with_graphs_too()
    {
        using var folder = new TemporaryFolder();
        using var model = Load(folder, file => SmallModels.Write(file, graph =>
            graph.Output(graph.Node("y", "Softmax", [graph.Input("x", DataType.Float, "n", 3)], Serve.Core.Onnx.OnnxAttribute.Int("axis", 0)), DataType.Float, "n", 3)), out _);
        var configuration = new ModelConfiguration { BatchSize = BatchSize, BatchDimension = BatchDimension.Checked };
        using var handler = new TensorHandler();
        handler.Load(new HandlerContext { ModelName = "test", ModelVersion = "1", ModelFolder = "", Configuration = configuration, Signature = model.Signature, Logger = NullLogger.Instance });
        var work = new OnnxWork(handler, model, configuration, NullLogger.Instance);
        using var runner = work.CreateRunner();

        Assert.Throws<UnbatchableOutputException>(runner.WarmUp);
        work.LeaveModel();
    }

    [Theory]
    [InlineData("the input 'x' of shape [?, ?] is not the same in every run")]
    public void Shapes_that_differ_from_run_to_run_are_refused_in_words(string words)
    {
        using var folder = new TemporaryFolder();
        HostMemory? memory = null;
        var error = Assert.Throws<InvalidModelException>(() => Load(folder, file => SmallModels.Identity(file, DataType.Float, "batch", "n"), out memory, created => memory = created));
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
        Assert.True(memory!.IsDisposed);
    }

    [Fact]
    public void A_gpu_without_cudas_library_is_a_load_error_in_words()
    {
        Assert.SkipWhen(Directory.Exists("/proc/driver/nvidia"), "this machine has a GPU");
        Assert.StartsWith("cudaGraphs is true, but CUDA's runtime library is not on the loader's path (", Assert.Throws<InvalidModelException>(() => CudaMemory.Open(0)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Describe_says_which_sizes_were_recorded()
    {
        using var world = new World(SmallModels.SumAndDifference);
        Assert.Equal("CUDA graphs for batches of 1, 4, 8; one batch at a time (instances: 1)", Assert.Single(world.Model.Notes));
    }

    private static OnnxModel Load(TemporaryFolder folder, Action<string> write, out HostMemory memory, Action<HostMemory>? created = null)
    {
        var file = Path.Combine(folder.Path, "model.onnx");
        write(file);
        using var plan = SessionPlan.Create("test", new ModelConfiguration { BatchSize = BatchSize }, DeviceType.Cpu, 0, 1);
        var model = OnnxModel.Load(file, plan);
        memory = new HostMemory();
        created?.Invoke(memory);
        try
        {
            model.UseGraphs(Buckets, memory);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>sum = a + b and difference = a − b.</summary>
    private sealed class World : IDisposable
    {
        private readonly TemporaryFolder _folder = new();
        private readonly SlabPools _slabs;
        private readonly BatchExecution _execution;
        private float _next = 1;

        public World(Action<string> write)
        {
            Model = Load(_folder, write, out var memory);
            Memory = memory;
            _slabs = new SlabPools(Model.Signature, BatchSize, 1, Model.AllocateRows);
            _execution = new BatchExecution(Model, Buckets);
        }

        public OnnxModel Model { get; }

        public HostMemory Memory { get; }

        public void WarmUp() => RunAndCheck(BatchSize);

        public void RunAndCheck(int count, bool areInSlabs = true)
        {
            var rows = Enumerable.Range(0, count).Select(_ => new BatchRow(Model.Signature, BatchSize, areInSlabs ? _slabs : null)).ToArray();
            var numbers = rows.Select(_ => new[] { _next++, _next++, _next++, _next++ }).ToArray();
            for (var i = 0; i < count; i++)
            {
                numbers[i].AsSpan(0, 2).CopyTo(rows[i].Inputs.Allocate<float>("a", 2));
                numbers[i].AsSpan(2, 2).CopyTo(rows[i].Inputs.Allocate<float>("b", 2));
                rows[i].Inputs.Complete();
            }

            using var outputs = _execution.Run(rows, CancellationToken.None);
            for (var i = 0; i < count; i++)
            {
                var of = numbers[i];
                Assert.Equal([of[0] + of[2], of[1] + of[3]], rows[i].Outputs.Elements<float>("sum").ToArray());
                Assert.Equal([of[0] - of[2], of[1] - of[3]], rows[i].Outputs.Elements<float>("difference").ToArray());
            }

            foreach (var row in rows) row.Dispose();
        }

        public void Dispose()
        {
            _execution.Dispose();
            _slabs.Dispose();
            Model.Dispose();
            _folder.Dispose();
        }
    }
}
