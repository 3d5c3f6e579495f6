using Microsoft.ML.OnnxRuntime;
using Serve.Core.Scheduling;
using Serve.Worker.Execution.Graphs;

namespace Serve.Worker.Execution;

/// <summary>
/// Runs batches on one device slot. Belongs to one thread for its whole life: ONNX Runtime keeps streams and handles for
/// each thread that has called it.
/// </summary>
/// <param name="model">The model.</param>
/// <param name="buckets">The sizes in which batches are executed; null: any.</param>
/// <remarks>Hot path: allocates nothing once every run of slots that occurs has occurred, for models whose rows lie in slabs.</remarks>
internal sealed class BatchExecution(OnnxModel model, BatchBuckets? buckets = null) : IDisposable
{
    private readonly BatchInputs _gathered = new(model.Signature);
    private readonly BatchBuckets _buckets = buckets ?? BatchBuckets.Any;
    private readonly RunOptions _options = model.CreateRunOptions();

    /// <summary>Executes the rows as one batch and points each row's outputs at its slice of the result.</summary>
    /// <param name="rows">At least one; all of one shape class.</param>
    /// <param name="cancellation">Ends the execution early, with an exception.</param>
    /// <returns>
    /// The memory that the rows' outputs lie in; whoever calls disposes of it after the last of them is read. Null when they
    /// lie in the rows' own slots.
    /// </returns>
    public BatchOutputs? Run(ReadOnlySpan<BatchRow> rows, CancellationToken cancellation)
    {
        var total = 0;
        foreach (var row in rows) total += row.Inputs.Rows;
        if (rows[0].Inputs.IsWhole)
        {
            using var ending = new Termination(_options, cancellation);
            return RunGathered(rows, total, total);
        }

        var size = _buckets.SizeOf(total);
        var areOfOnePool = AreOfOnePool(rows, total);
        if (areOfOnePool && model.GraphOf(size) is { } graph) return RunGraph(graph, rows, total);

        using var terminate = new Termination(_options, cancellation);
        return areOfOnePool && size == total ? RunInSlab(rows, total) : RunGathered(rows, total, size);
    }

    public void Dispose()
    {
        _gathered.Dispose();
        _options.Dispose();
    }

    private BatchOutputs? RunInSlab(ReadOnlySpan<BatchRow> rows, int total)
    {
        var place = PlaceOf(rows, total);
        var view = place.Slab.View(place.First, total);
        try
        {
            var outputs = model.Run(view, _options);
            foreach (var row in rows)
            {
                if (outputs is null) row.Outputs.Bind(row.Place);
                else row.Outputs.Bind(outputs, row.Place.First - place.First, row.Place.Rows);
            }

            return outputs;
        }
        finally
        {
            RowSlab.Return(view);
        }
    }

    // The device keeps a copy of inputs and outputs at addresses that never change; what it holds beyond these rows is of batches
    // before, and its outputs nobody reads.
    private static BatchOutputs? RunGraph(CudaGraph graph, ReadOnlySpan<BatchRow> rows, int total)
    {
        var place = PlaceOf(rows, total);
        graph.Run(place.Slab, place.First, total);
        foreach (var row in rows) row.Outputs.Bind(row.Place);
        return null;
    }

    private BatchOutputs RunGathered(ReadOnlySpan<BatchRow> rows, int total, int size)
    {
        BatchOutputs outputs;
        try
        {
            outputs = model.Run(_gathered.Gather(rows, total, size), size, _options, rows[0].Inputs.IsWhole);
        }
        finally
        {
            _gathered.Release();
        }

        var first = 0;
        foreach (var row in rows)
        {
            row.Outputs.Bind(outputs, first, row.Inputs.Rows);
            first += row.Inputs.Rows;
        }

        return outputs;
    }

    private static RowPlace PlaceOf(ReadOnlySpan<BatchRow> rows, int total) => rows[0].HasBegun ? PackedPlaceOf(rows, total) : rows[0].Place.Slab.Pool.Pack(rows, total);

    // Rows that run again: the same batch, or one row of it after it failed.
    private static RowPlace PackedPlaceOf(ReadOnlySpan<BatchRow> rows, int total)
    {
        var first = int.MaxValue;
        foreach (var row in rows) first = Math.Min(first, row.Place.First);
        return new RowPlace(rows[0].Place.Slab, first, total);
    }

    private static bool AreOfOnePool(ReadOnlySpan<BatchRow> rows, int total)
    {
        if (!rows[0].Inputs.IsPlaced) return false;
        var slab = rows[0].Place.Slab;
        if (total > slab.Slots.Length) return false;
        foreach (var row in rows)
        {
            if (!row.Inputs.IsPlaced || row.Place.Slab.Pool != slab.Pool) return false;
        }

        return true;
    }

    /// <summary>Ties a cancellation to the one run that uses the options now.</summary>
    private readonly struct Termination : IDisposable
    {
        private readonly RunOptions _options;
        private readonly CancellationTokenRegistration _registration;

        public Termination(RunOptions options, CancellationToken cancellation)
        {
            _options = options;
            _registration = cancellation.UnsafeRegister(static options => ((RunOptions)options!).Terminate = true, options);
        }

        public void Dispose()
        {
            _registration.Dispose(); // waits for a callback that runs
            if (_options.Terminate) _options.Terminate = false;
        }
    }
}
