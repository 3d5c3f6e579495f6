using Microsoft.ML.OnnxRuntime;

namespace Serve.Worker.Execution;

/// <summary>
/// Runs batches on one device slot. Belongs to one thread for its whole life: ONNX Runtime keeps streams and handles for
/// each thread that has called it.
/// </summary>
internal sealed class BatchExecution(OnnxModel model) : IDisposable
{
    private readonly BatchInputs _inputs = new(model.Signature);

    /// <summary>Executes the rows as one batch and points each row's outputs at its slice of the result.</summary>
    /// <returns>The memory that the rows' outputs lie in; whoever calls disposes of it after the last of them is read.</returns>
    public BatchOutputs Run(ReadOnlySpan<BatchRow> rows, CancellationToken cancellation)
    {
        var total = 0;
        foreach (var row in rows) total += row.Inputs.Rows;

        using var options = new RunOptions();
        using var terminate = cancellation.UnsafeRegister(static options => ((RunOptions)options!).Terminate = true, options);
        BatchOutputs outputs;
        try
        {
            outputs = model.Run(_inputs.Gather(rows, total), total, options);
        }
        finally
        {
            _inputs.Release();
        }

        var first = 0;
        foreach (var row in rows)
        {
            row.Outputs.Bind(outputs, first, row.Inputs.Rows);
            first += row.Inputs.Rows;
        }

        return outputs;
    }

    public void Dispose() => _inputs.Dispose();
}
