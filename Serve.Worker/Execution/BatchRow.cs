using Serve.Core.Handlers;

namespace Serve.Worker.Execution;

/// <summary>
/// One request's row of a batch: its inputs before execution and its slice of the outputs after it, in one object, so that
/// an output cannot reach another request.
/// </summary>
/// <param name="signature">The model's.</param>
/// <param name="maxRows">The most rows that a request can fill.</param>
/// <param name="slabs">Where the row lies; null: always in memory of its own.</param>
internal sealed class BatchRow(ModelSignature signature, int maxRows, SlabPools? slabs = null) : IDisposable
{
    public RowInputs Inputs { get; } = new(signature, maxRows, slabs);

    public RowOutputs Outputs { get; } = new(signature);

    /// <summary>Its slots of a slab; <see cref="RowInputs.IsPlaced"/> says whether it has any.</summary>
    public RowPlace Place => Inputs.Place;

    /// <summary>Its batch has begun. Under the lock of its slab's pool.</summary>
    public bool HasBegun
    {
        get => Inputs.HasBegun;
        set => Inputs.HasBegun = value;
    }

    /// <summary>Its inputs were copied to other slots.</summary>
    public void MoveTo(in RowPlace place) => Inputs.MoveTo(place);

    public void Clear()
    {
        Outputs.Unbind();
        Inputs.Clear();
    }

    public void Dispose() => Inputs.Dispose();
}
