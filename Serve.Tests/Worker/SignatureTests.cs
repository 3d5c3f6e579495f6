using Serve.Core.Handlers;
using Serve.Worker.Execution;

namespace Serve.Tests.Worker;

public sealed class SignatureTests
{
    [Theory]
    [InlineData(RowBatching.Dynamic, new long[] { -1, 3 }, new long[] { -1, 10 })]
    [InlineData(RowBatching.Dynamic, new long[] { -1 }, new long[] { -1 })]
    [InlineData(RowBatching.FixedOne, new long[] { 1, 3 }, new long[] { 1, 10 })]
    [InlineData(RowBatching.FixedOne, new long[] { 1, 3 }, new long[] { -1, 10 })]
    [InlineData(RowBatching.None, new long[] { 1, 3 }, new long[] { 10 })]
    [InlineData(RowBatching.None, new long[] { 2, 3 }, new long[] { 2, 10 })]
    [InlineData(RowBatching.None, new long[] { -1, 3 }, new long[] { 10 })]
    [InlineData(RowBatching.None, new long[] { -1, 3 }, new long[0])]
    [InlineData(RowBatching.None, new long[0], new long[] { -1 })]
    public void What_the_first_dimension_allows_follows_from_the_shapes(RowBatching expected, long[] input, long[] output)
    {
        TensorInfo[] inputs = [new("x", TensorElement.Float32, input)];
        TensorInfo[] outputs = [new("y", TensorElement.Float32, output)];

        Assert.Equal(expected, SignatureReader.BatchingOf(inputs, outputs));
    }

    [Fact]
    public void One_input_without_batch_dimension_is_enough_to_rule_batches_out()
    {
        // Silero's voice detector: a scalar sample rate, and a state whose batch is its second dimension.
        TensorInfo[] inputs = [new("input", TensorElement.Float32, [-1, 576]), new("state", TensorElement.Float32, [2, -1, 128]), new("sr", TensorElement.Int64, [])];
        TensorInfo[] outputs = [new("output", TensorElement.Float32, [-1, 1])];

        Assert.Equal(RowBatching.None, SignatureReader.BatchingOf(inputs, outputs));
    }

    [Fact]
    public void Threads_are_an_equal_share_of_the_cores()
    {
        Assert.Equal(Math.Max(1, CpuBudget.PhysicalCores / 2), CpuBudget.IntraOpThreads(instances: 1, hostWorkers: 2));
        Assert.Equal(1, CpuBudget.IntraOpThreads(instances: 1000, hostWorkers: 1));
        Assert.Equal(1, CpuBudget.DecodeThreads(hostWorkers: 1000));
    }

    [Fact]
    public void Two_threads_of_one_core_count_once()
    {
        var folder = Directory.CreateTempSubdirectory("serve-cpus").FullName;
        try
        {
            string[] siblings = ["0,2", "1,3", "0,2", "1,3"];
            for (var cpu = 0; cpu < 4; cpu++)
            {
                var topology = Directory.CreateDirectory(Path.Combine(folder, $"cpu{cpu}", "topology")).FullName;
                File.WriteAllText(Path.Combine(topology, "thread_siblings_list"), siblings[cpu] + "\n");
            }

            Directory.CreateDirectory(Path.Combine(folder, "cpufreq"));

            Assert.Equal(2, CpuBudget.CountCores(folder, processors: 4));
            Assert.Equal(1, CpuBudget.CountCores(folder, processors: 1)); // a container's limit
            Assert.Equal(8, CpuBudget.CountCores(Path.Combine(folder, "missing"), processors: 8));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
