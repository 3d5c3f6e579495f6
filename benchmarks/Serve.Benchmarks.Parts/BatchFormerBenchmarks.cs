using BenchmarkDotNet.Attributes;
using Serve.Core.Scheduling;

namespace Serve.Benchmarks.Parts;

/// <summary>The worker's half of the dynamic batcher.</summary>
public class BatchFormerBenchmarks
{
    private const int Batch = 32;

    private readonly List<Row> _batch = new(Batch);
    private readonly List<Row> _dropped = [];
    private Row[] _rows = [];
    private BatchFormer<Row> _former = null!;

    /// <summary>How many classes of shapes the rows are of; a batch is of one.</summary>
    [Params(1, 4)]
    public int Shapes { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _former = new BatchFormer<Row>(new BatchFormerOptions(), TimeProvider.System.TimestampFrequency);
        _rows = [.. Enumerable.Range(0, Batch).Select(_ => new Row())];
    }

    /// <summary>Rows arrive, become ready, and leave in batches. Time and bytes of one row.</summary>
    [Benchmark(OperationsPerInvoke = Batch)]
    public int ArriveReadyClose()
    {
        var now = TimeProvider.System.GetTimestamp();
        foreach (var row in _rows) _former.AddArrived(row, more: false, now);
        for (var i = 0; i < Batch; i++) _former.MarkReady(_rows[i], i % Shapes, now);
        var closed = 0;
        while (_former.Close(now, Batch, _batch, _dropped) is > 0 and var rows)
        {
            closed += rows;
            _batch.Clear();
        }

        return closed == Batch ? closed : throw new InvalidOperationException($"{closed} rows of {Batch} came back.");
    }

    private sealed class Row : FormerRow;
}
