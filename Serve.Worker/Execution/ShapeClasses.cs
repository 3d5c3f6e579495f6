using Serve.Core.Handlers;

namespace Serve.Worker.Execution;

/// <summary>Numbers for the shapes that rows have, so that the batch former compares an integer.</summary>
internal sealed class ShapeClasses(ModelSignature signature)
{
    // Clients choose the shapes of dynamic dimensions; what is remembered of them is bounded. Numbers are never reused:
    // after a reset the worst is that two equal rows do not share a batch.
    private const int MaxKnown = 256;

    private readonly bool _oneShape = signature.Batching != RowBatching.None
        && signature.Inputs.All(input => input.Shape.Skip(1).All(dimension => dimension >= 0));

    private readonly Lock _gate = new();
    private readonly List<(long[] Dimensions, int Number)> _known = [];
    private int _next;

    public int Of(RowInputs inputs)
    {
        if (inputs.IsWhole)
        {
            lock (_gate) return ++_next; // nobody else's
        }

        if (_oneShape) return 0;

        lock (_gate)
        {
            foreach (var (dimensions, number) in _known)
            {
                if (Equals(dimensions, inputs)) return number;
            }

            if (_known.Count == MaxKnown) _known.Clear();
            _known.Add((Flatten(inputs), ++_next));
            return _next;
        }
    }

    private static bool Equals(ReadOnlySpan<long> dimensions, RowInputs inputs)
    {
        foreach (var slot in inputs.Slots)
        {
            var shape = WithoutRows(slot);
            if (!dimensions[..shape.Length].SequenceEqual(shape)) return false;
            dimensions = dimensions[shape.Length..];
        }

        return true;
    }

    private static long[] Flatten(RowInputs inputs)
    {
        List<long> dimensions = [];
        foreach (var slot in inputs.Slots) dimensions.AddRange(WithoutRows(slot));
        return [.. dimensions];
    }

    // A model without batch dimension runs each request alone, whatever its class: leaving a dimension out does no harm.
    private static ReadOnlySpan<long> WithoutRows(TensorSlot slot) => slot.Shape.IsEmpty ? [] : slot.Shape[1..];
}
