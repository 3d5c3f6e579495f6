namespace Serve.Worker.Execution;

/// <summary>
/// Memory for the rows of a whole batch, one beside the other: decode threads write rows straight into their slots, and a
/// batch that consists of neighbouring slots is executed where it lies. Who has which slot is <see cref="SlabPool"/>'s to
/// say, under its lock; the bytes of a slot belong to the row that has it.
/// </summary>
internal sealed unsafe class RowSlab : IDisposable
{
    private const int MaxViews = 512;

    private readonly RowMemory[] _inputs;
    private readonly RowMemory[] _outputs;
    private readonly Dictionary<int, BatchView> _views = [];

    public RowSlab(SlabPool pool, RowLayout layout, int capacity, Func<long, RowMemory> allocate)
    {
        Pool = pool;
        Layout = layout;
        Slots = new SlotState[capacity];
        _inputs = [.. layout.InputBytes.Select(bytes => allocate(bytes * capacity))];
        _outputs = [.. layout.OutputBytes.Select(bytes => allocate(bytes * capacity))];
    }

    public SlabPool Pool { get; }

    public RowLayout Layout { get; }

    /// <summary>Under the pool's lock, as the three below.</summary>
    public SlotState[] Slots { get; }

    /// <summary>No slot from here on has a row.</summary>
    public int End { get; set; }

    /// <summary>Slots that rows have.</summary>
    public int Taken { get; set; }

    /// <summary>Those of them whose batch has begun.</summary>
    public int Begun { get; set; }

    public nint InputAddress(int input, int slot) => _inputs[input].Address + (nint)(Layout.InputBytes[input] * slot);

    public ReadOnlySpan<byte> Output(int output, int slot, int rows) =>
        new((void*)OutputAddress(output, slot), checked((int)(Layout.OutputBytes[output] * rows)));

    public nint OutputAddress(int output, int slot) => _outputs[output].Address + (nint)(Layout.OutputBytes[output] * slot);

    public RowMemory InputMemory(int input) => _inputs[input];

    public RowMemory OutputMemory(int output) => _outputs[output];

    /// <summary>Copies the inputs of rows into slots of this slab.</summary>
    public void CopyInputs(RowSlab source, int sourceSlot, int slot, int rows)
    {
        for (var i = 0; i < _inputs.Length; i++)
        {
            var bytes = Layout.InputBytes[i] * rows;
            Buffer.MemoryCopy((void*)source.InputAddress(i, sourceSlot), (void*)InputAddress(i, slot), bytes, bytes);
        }
    }

    /// <summary>
    /// What ONNX Runtime needs to execute these rows. Made once for each run of slots and kept, because the runs repeat. The
    /// caller has the slots, so no other thread uses the same one; give it back with <see cref="Return"/>.
    /// </summary>
    public BatchView View(int first, int rows)
    {
        var key = (first * Slots.Length) + rows - 1;
        lock (_views)
        {
            if (_views.TryGetValue(key, out var known)) return known;
            var view = new BatchView(this, first, rows) { IsKept = _views.Count < MaxViews };
            if (view.IsKept) _views.Add(key, view);
            return view;
        }
    }

    /// <summary>The view is not in use any more.</summary>
    public static void Return(BatchView view)
    {
        if (!view.IsKept) view.Dispose();
    }

    public void Dispose()
    {
        foreach (var view in _views.Values) view.Dispose();
        foreach (var memory in _inputs) memory.Dispose();
        foreach (var memory in _outputs) memory.Dispose();
    }
}

/// <summary>What a slot of a slab holds.</summary>
internal enum SlotState : byte
{
    Free,

    /// <summary>A row's.</summary>
    Taken,

    /// <summary>A row's of the batch that is being packed.</summary>
    Packing,
}
