namespace Serve.Worker.Execution;

/// <summary>
/// Who has which slot of which slab, for rows of one layout. Rows get slots in the order in which they are decoded; which of
/// them share a batch is known only when it closes (docs/decisions/0004). Usually they are neighbours then; where they are
/// not, <see cref="Pack"/> moves as few as it can.
/// </summary>
/// <param name="layout">The rows'.</param>
/// <param name="slabRows">Rows of a slab.</param>
/// <param name="usualSlabs">How many slabs should suffice.</param>
/// <param name="allocate">Where memory comes from.</param>
/// <param name="budget">What the slabs of this and other pools may have together.</param>
internal sealed class SlabPool(RowLayout layout, int slabRows, int usualSlabs, Func<long, RowMemory> allocate, SlabBudget budget) : IDisposable
{
    private readonly long _slabBytes = layout.RowBytes * slabRows;
    private readonly Lock _gate = new();
    private readonly Stack<RowSlab> _free = new();
    private readonly List<RowSlab> _used = [];
    private RowSlab? _open;
    private long _copiedRows;
    private bool _isClosed;

    public RowLayout Layout => layout;

    /// <summary>Rows that lay apart from the others of their batch and had to be copied.</summary>
    public long CopiedRows => Interlocked.Read(ref _copiedRows);

    /// <summary>Whether no row has a slot.</summary>
    public bool IsIdle
    {
        get
        {
            lock (_gate) return _used.TrueForAll(slab => slab.Taken == 0);
        }
    }

    /// <summary>Gives a row its slots.</summary>
    /// <param name="rows">How many, beside each other; at most a slab has.</param>
    /// <returns>Null: it would take a new slab, and there may be none.</returns>
    public RowPlace? TryTake(int rows)
    {
        lock (_gate)
        {
            if (_open is null || _open.Slots.Length - _open.End < rows)
            {
                if (FindGap(rows) is { } gap) return gap;
                if (_free.Count == 0 && !budget.TryTake(_slabBytes)) return null;
                _open = _free.Count > 0 ? RentFree() : Create();
            }

            return Claim(_open, _open.End, rows);
        }
    }

    /// <summary>A row is at its end, or moved: its slots are free.</summary>
    /// <param name="place">Where it was.</param>
    /// <param name="hasBegun">Whether its batch had begun.</param>
    public void Release(in RowPlace place, bool hasBegun)
    {
        lock (_gate)
        {
            var slab = place.Slab;
            slab.Slots.AsSpan(place.First, place.Rows).Clear(); // free
            slab.Taken -= place.Rows;
            if (hasBegun) slab.Begun -= place.Rows;
            while (slab.End > 0 && slab.Slots[slab.End - 1] == SlotState.Free) slab.End--;
            if (slab.Taken == 0 && slab != _open) ReturnSlab(slab);
        }
    }

    /// <summary>
    /// Makes a batch of rows neighbours. Nothing is moved when they are already; where a few lie apart, or failed rows left
    /// gaps, those few move; else all are copied into a slab of their own.
    /// </summary>
    /// <param name="rows">Rows of this pool that have not begun, and begin now.</param>
    /// <param name="total">The slots that they have together; at most a slab has.</param>
    /// <returns>Where they lie now.</returns>
    public RowPlace Pack(ReadOnlySpan<BatchRow> rows, int total)
    {
        RowPlace target;
        lock (_gate)
        {
            target = NeighboursOf(rows, total) ?? ClaimAround(rows, total) ?? Claim(RentSlab(), 0, total);
            foreach (var row in rows) row.HasBegun = true;
            target.Slab.Begun += total;
            if (target.Slab == _open && _open.Taken == _open.Begun) _open = null; // what comes now begins a batch of its own
        }

        MoveInto(target, rows);
        return target;
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _isClosed = true;
            _open = null;
            while (_free.TryPop(out var slab)) Drop(slab);
            for (var i = _used.Count - 1; i >= 0; i--)
            {
                // A row that still has slots is with a thread that the process leaves behind; its last Release disposes of them.
                if (_used[i].Taken == 0) ReturnSlab(_used[i]);
            }
        }
    }

    // All below but MoveInto: under the lock.

    private static RowPlace? NeighboursOf(ReadOnlySpan<BatchRow> rows, int total)
    {
        var slab = rows[0].Place.Slab;
        var (first, end) = (int.MaxValue, 0);
        foreach (var row in rows)
        {
            var place = row.Place;
            if (place.Slab != slab) return null;
            first = Math.Min(first, place.First);
            end = Math.Max(end, place.First + place.Rows);
        }

        return end - first == total ? new RowPlace(slab, first, total) : null;
    }

    // The place in the slab with most of the rows where the fewest have to be moved to; its free slots are claimed.
    private static RowPlace? ClaimAround(ReadOnlySpan<BatchRow> rows, int total)
    {
        if (rows.Length != total) return null; // rows of several slots would have to fit into the gaps
        var slab = MostOf(rows);
        Mark(slab, rows, SlotState.Packing);
        var first = BestRun(slab.Slots, total);
        if (first >= 0) ClaimGaps(slab, first, total);
        Mark(slab, rows, SlotState.Taken);
        return first < 0 ? null : new RowPlace(slab, first, total);
    }

    private static RowSlab MostOf(ReadOnlySpan<BatchRow> rows)
    {
        var (best, most) = (rows[0].Place.Slab, 0);
        for (var i = 0; i < rows.Length && rows.Length - i > most; i++)
        {
            var count = 0;
            foreach (var row in rows[i..])
            {
                if (row.Place.Slab == rows[i].Place.Slab) count++;
            }

            if (count > most) (best, most) = (rows[i].Place.Slab, count);
        }

        return best;
    }

    private static void Mark(RowSlab slab, ReadOnlySpan<BatchRow> rows, SlotState state)
    {
        foreach (var row in rows)
        {
            if (row.Place.Slab == slab) slab.Slots[row.Place.First] = state;
        }
    }

    // The run of slots with the most rows of the batch and none of others; −1: there is none.
    private static int BestRun(ReadOnlySpan<SlotState> slots, int length)
    {
        var (best, most, own, others) = (-1, 0, 0, 0);
        for (var end = 0; end < slots.Length; end++)
        {
            if (slots[end] == SlotState.Packing) own++;
            else if (slots[end] == SlotState.Taken) others++;
            if (end < length - 1) continue;

            var first = end - length + 1;
            if (others == 0 && own > most) (best, most) = (first, own);
            if (slots[first] == SlotState.Packing) own--;
            else if (slots[first] == SlotState.Taken) others--;
        }

        return best;
    }

    private static void ClaimGaps(RowSlab slab, int first, int rows)
    {
        foreach (ref var slot in slab.Slots.AsSpan(first, rows))
        {
            if (slot != SlotState.Free) continue;
            slot = SlotState.Taken;
            slab.Taken++;
        }

        slab.End = Math.Max(slab.End, first + rows);
    }

    private static RowPlace Claim(RowSlab slab, int first, int rows)
    {
        slab.Slots.AsSpan(first, rows).Fill(SlotState.Taken);
        slab.Taken += rows;
        slab.End = Math.Max(slab.End, first + rows);
        return new RowPlace(slab, first, rows);
    }

    // Only when there are as many slabs as should suffice: better a gap, from where a row may have to be moved, than more memory.
    private RowPlace? FindGap(int rows)
    {
        if (_free.Count > 0 || _used.Count < usualSlabs) return null;
        foreach (var slab in _used)
        {
            var run = 0;
            for (var slot = 0; slot < slab.Slots.Length; slot++)
            {
                run = slab.Slots[slot] == SlotState.Free ? run + 1 : 0;
                if (run == rows) return Claim(slab, slot - rows + 1, rows);
            }
        }

        return null;
    }

    // For a batch, which has to lie somewhere.
    private RowSlab RentSlab()
    {
        if (_free.Count > 0) return RentFree();
        budget.Take(_slabBytes);
        return Create();
    }

    private RowSlab RentFree()
    {
        var slab = _free.Pop();
        _used.Add(slab);
        return slab;
    }

    // Its bytes are taken from the budget already.
    private RowSlab Create()
    {
        try
        {
            var slab = new RowSlab(this, layout, slabRows, allocate);
            _used.Add(slab);
            return slab;
        }
        catch
        {
            budget.Return(_slabBytes);
            throw;
        }
    }

    private void ReturnSlab(RowSlab slab)
    {
        _used.Remove(slab);
        if (!_isClosed && _free.Count + _used.Count < usualSlabs) _free.Push(slab);
        else Drop(slab);
    }

    private void Drop(RowSlab slab)
    {
        slab.Dispose();
        budget.Return(_slabBytes);
    }

    private void MoveInto(in RowPlace target, ReadOnlySpan<BatchRow> rows)
    {
        var gap = target.First;
        var copied = 0;
        foreach (var row in rows)
        {
            if (target.Contains(row.Place)) continue;

            // Rows of one slot each, into the slots that none of the others has; or rows of any size into a slab of their own.
            while (IsTakenByOneOf(rows, target.Slab, gap)) gap++;
            var old = row.Place;
            var place = new RowPlace(target.Slab, gap, old.Rows);
            target.Slab.CopyInputs(old.Slab, old.First, gap, old.Rows);
            row.MoveTo(place);
            Release(old, hasBegun: false);
            gap += old.Rows;
            copied += old.Rows;
        }

        if (copied > 0) Interlocked.Add(ref _copiedRows, copied);
    }

    private static bool IsTakenByOneOf(ReadOnlySpan<BatchRow> rows, RowSlab slab, int slot)
    {
        foreach (var row in rows)
        {
            var place = row.Place;
            if (place.Slab == slab && place.First <= slot && slot < place.First + place.Rows) return true;
        }

        return false;
    }
}

/// <summary>Neighbouring slots of a slab.</summary>
/// <param name="Slab">The slab.</param>
/// <param name="First">The first slot.</param>
/// <param name="Rows">How many.</param>
internal readonly record struct RowPlace(RowSlab Slab, int First, int Rows)
{
    public bool Contains(in RowPlace other) => other.Slab == Slab && other.First >= First && other.First + other.Rows <= First + Rows;
}
