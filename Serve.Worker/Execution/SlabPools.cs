using Serve.Core.Handlers;

namespace Serve.Worker.Execution;

/// <summary>
/// The slabs of one model, by the layout of their rows: one layout where the model fixes the shapes; where it leaves them to
/// the requests and has one input, one for each shape that was seen lately. Other rows have memory of their own, and are
/// copied together when their batch closes.
/// </summary>
internal sealed class SlabPools : IDisposable
{
    // More virtual memory than this for one slab is not asked for: such rows keep memory of their own.
    private const long MaxSlabBytes = 2L << 30;

    // Clients choose the shapes where the model leaves them open; what they can make a worker keep is bounded. A slab stays as
    // large as rows have filled it once, and on a GPU it is page-locked whole from the start.
    private const int MaxPools = 8;
    private const long MaxSlabBytesOfShape = 256L << 20;
    private const long MaxBytesOfShapes = 1L << 30;

    private readonly ModelSignature _signature;
    private readonly int _slabRows;
    private readonly int _usualSlabs;
    private readonly Func<long, RowMemory> _allocate;
    private readonly SlabPool? _only;
    private readonly Lock _gate = new();
    private readonly List<SlabPool> _byShape = [];
    private readonly SlabBudget _budget;
    private long _copiedBefore;

    /// <param name="signature">The model's.</param>
    /// <param name="slabRows">Rows of a slab: the largest batch.</param>
    /// <param name="instances">Batches that execute at once.</param>
    /// <param name="allocate">Where memory comes from.</param>
    public SlabPools(ModelSignature signature, int slabRows, int instances, Func<long, RowMemory> allocate)
    {
        (_signature, _slabRows, _allocate) = (signature, slabRows, allocate);

        // For each batch that executes another one, should its rows have to be copied; one that decodes, one that is next,
        // one that is being answered.
        _usualSlabs = (2 * instances) + 3;
        var layout = RowLayout.OfFixed(signature);
        _budget = new SlabBudget(layout is null ? MaxBytesOfShapes : long.MaxValue);
        if (layout is not null && FitsSlab(layout, MaxSlabBytes)) _only = Create(layout);
    }

    /// <summary>Rows that had to be copied because they lay apart from their batch's others.</summary>
    public long CopiedRows
    {
        get
        {
            if (_only is not null) return _only.CopiedRows;
            lock (_gate)
            {
                var rows = _copiedBefore;
                foreach (var pool in _byShape) rows += pool.CopiedRows;
                return rows;
            }
        }
    }

    /// <summary>Slots for a row that is about to be written.</summary>
    /// <param name="rows">How many.</param>
    /// <param name="shape">The shape of the input that is written first.</param>
    /// <returns>Null when the row needs memory of its own.</returns>
    public RowPlace? TryTake(int rows, ReadOnlySpan<long> shape)
    {
        if (rows > _slabRows) return null;
        if (_only is not null) return _only.TryTake(rows);
        if (_signature.Inputs.Count != 1) return null;
        lock (_gate)
        {
            if (OfShape(shape) is not { } pool) return null;
            var place = pool.TryTake(rows);
            while (place is null && DropIdle(pool)) place = pool.TryTake(rows);
            return place;
        }
    }

    public void Dispose()
    {
        _only?.Dispose();
        lock (_gate)
        {
            foreach (var pool in _byShape) pool.Dispose();
            _byShape.Clear();
        }
    }

    private SlabPool? OfShape(ReadOnlySpan<long> shape)
    {
        foreach (var pool in _byShape)
        {
            if (pool.Layout.IsOfOnlyInput(shape)) return pool;
        }

        if (RowLayout.OfOnlyInput(_signature, shape) is not { } layout || !FitsSlab(layout, MaxSlabBytesOfShape)) return null;
        if (_byShape.Count == MaxPools && !DropIdle(null)) return null;
        var created = Create(layout);
        _byShape.Add(created);
        return created;
    }

    private bool DropIdle(SlabPool? wanted)
    {
        var idle = _byShape.FindIndex(pool => pool != wanted && pool.IsIdle);
        if (idle < 0) return false;
        _copiedBefore += _byShape[idle].CopiedRows;
        _byShape[idle].Dispose();
        _byShape.RemoveAt(idle);
        return true;
    }

    private bool FitsSlab(RowLayout layout, long mostBytes) => layout.RowBytes <= mostBytes / _slabRows;

    private SlabPool Create(RowLayout layout) => new(layout, _slabRows, _usualSlabs, _allocate, _budget);
}
