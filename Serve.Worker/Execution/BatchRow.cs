using Serve.Core.Handlers;

namespace Serve.Worker.Execution;

/// <summary>
/// One request's row of a batch: its inputs before execution and its slice of the outputs after it, in one object, so that
/// an output cannot reach another request.
/// </summary>
internal sealed class BatchRow(ModelSignature signature, int maxRows) : IDisposable
{
    public RowInputs Inputs { get; } = new(signature, maxRows);

    public RowOutputs Outputs { get; } = new(signature);

    /// <summary>Rows with the same class can share a batch; set when the inputs are complete.</summary>
    public int ShapeClass { get; set; }

    public void Clear()
    {
        Inputs.Clear();
        Outputs.Unbind();
    }

    public void Dispose() => Inputs.Dispose();
}
