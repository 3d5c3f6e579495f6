using System.Runtime.InteropServices;

namespace Serve.Core.Scheduling;

/// <summary>
/// Forms a worker's batches: the worker's half of the dynamic batcher. Requests arrive, become ready when they are decoded,
/// and are taken into a batch at the moment a device slot is free. So a batch grows for exactly as long as its rows would
/// have waited anyway, and no slot idles while a row is ready.
/// </summary>
/// <remarks>
/// Pure: no threads, no clock; <c>now</c> is a timestamp of the clock that deadlines are of. Every call happens under the
/// worker's lock. Logarithmic in the number of rows, and without allocation once it has grown (delayed batches aside).
/// </remarks>
/// <typeparam name="TRow">The pipeline's request.</typeparam>
public sealed class BatchFormer<TRow>
    where TRow : FormerRow
{
    private const int EmptyShapesKept = 64;

    private readonly long _starvationLimit;
    private readonly long _successorLimit;
    private readonly IntrusiveList<FormerRow, ArrivalLinks> _arrived = new();
    private readonly IntrusiveList<FormerRow, ReadinessLinks> _ready = new();
    private readonly IndexedHeap<FormerRow, InAll> _all = new();
    private readonly Dictionary<long, ShapeClass> _shapes = [];
    private readonly BatchDeadline _deadline;
    private readonly List<TRow> _hopeless = [];
    private readonly BatchBuckets _buckets;
    private readonly long[] _bucketCosts;
    private DelayedBatch? _open;
    private long _sequence;

    /// <summary>Creates the former of one worker.</summary>
    /// <param name="options">Its limits.</param>
    /// <param name="timestampFrequency">Ticks a second of the timestamps: <see cref="TimeProvider.TimestampFrequency"/>.</param>
    /// <param name="cost">How long batches take, in the same ticks, learnt by whoever executes them; null: not known, so deadlines do not bound batches.</param>
    /// <param name="buckets">The sizes in which batches are executed; null: any.</param>
    public BatchFormer(BatchFormerOptions options, long timestampFrequency, BatchCostModel? cost = null, BatchBuckets? buckets = null)
    {
        Cost = cost ?? new BatchCostModel(1);
        _buckets = buckets ?? BatchBuckets.Any;
        _bucketCosts = new long[_buckets.Sizes.Length];
        _deadline = new BatchDeadline(Cost, _buckets, (long)(options.AnswerTime.TotalSeconds * timestampFrequency));
        _starvationLimit = (long)Math.Min(options.StarvationLimit.TotalSeconds * timestampFrequency, long.MaxValue / 4);
        _successorLimit = (long)Math.Min(options.SuccessorLimit.TotalSeconds * timestampFrequency, long.MaxValue / 4);
    }

    /// <summary>How long batches take, by the size that is executed. Whoever executes them tells it by <see cref="Learn"/>.</summary>
    public BatchCostModel Cost { get; }

    /// <summary>Requests that the next batch can choose from.</summary>
    public int ReadyRequests => _all.Count;

    /// <summary>Their rows.</summary>
    public int ReadyRows { get; private set; }

    /// <summary>
    /// When <see cref="Close"/> may find rows that it did not find before, although nothing happened meanwhile;
    /// <see cref="long.MaxValue"/>: never. Only after an announced successor was lost.
    /// </summary>
    public long NextWakeup => _open is { } open ? open.LastArrival + _successorLimit : long.MaxValue;

    /// <summary>A batch has run.</summary>
    /// <param name="rows">Its rows, without what it was padded with.</param>
    /// <param name="ticks">How long it took.</param>
    public void Learn(int rows, long ticks) => Cost.Learn(_buckets.SizeOf(rows), ticks);

    /// <summary>A request has arrived and is to be decoded, or made ready at once.</summary>
    /// <param name="row">The request.</param>
    /// <param name="more">Another of the same delayed batch follows at once: none of them is ready before all are.</param>
    /// <param name="now">The time.</param>
    public void AddArrived(TRow row, bool more, long now)
    {
        if (row.Stage != RowStage.Gone) throw new InvalidOperationException("The row is in the former already.");

        row.Stage = RowStage.Arrived;
        row.Sequence = ++_sequence;
        _arrived.Append(row);

        GiveUpSuccessor(now);
        if (_open is null && !more) return;

        var batch = _open ?? new DelayedBatch();
        row.Delayed = batch;
        batch.Undecoded++;
        batch.LastArrival = now;
        batch.IsComplete = !more;
        _open = more ? batch : null;
    }

    /// <summary>A request that has arrived is decoded.</summary>
    /// <param name="row">The request.</param>
    /// <param name="shapeClass">Requests of the same class can share a batch.</param>
    /// <param name="now">The time.</param>
    public void MarkReady(TRow row, long shapeClass, long now)
    {
        if (row.Stage != RowStage.Arrived) throw new InvalidOperationException("Only a row that has arrived, and is not ready yet, can become ready.");

        ArgumentOutOfRangeException.ThrowIfLessThan(row.Rows, 1);

        row.ShapeKey = shapeClass;
        row.ReadyTimestamp = now;
        if (row.Delayed is not { } batch)
        {
            MakeReady(row);
            return;
        }

        row.Stage = RowStage.Held;
        batch.Undecoded--;
        batch.Held.Add(row);
        ReleaseIfWhole(batch);
    }

    /// <summary>A request leaves before its batch began: cancelled, or its decoding failed.</summary>
    /// <returns>False: the former does not have it (any more).</returns>
    public bool Remove(TRow row)
    {
        if (row.Stage == RowStage.Gone) return false;

        Leave(row);
        return true;
    }

    /// <summary>
    /// Closes a batch: by lane, then deadline, then arrival among the rows that are ready, all of one shape class, which is
    /// the first one's. A row that has been ready for too long goes first. The batch is not made larger than its oldest
    /// deadline allows, unless keeping it small would make those behind it late: then those that would are dropped. Rows that
    /// cannot be in time any more run only when nothing else is ready, for the estimate may be wrong. Where batches are executed
    /// in certain sizes only, it takes as many rows as <see cref="BucketChoice"/> says.
    /// </summary>
    /// <param name="now">The time.</param>
    /// <param name="maxRows">The most rows; only a request that has more by itself exceeds it, and then is alone.</param>
    /// <param name="batch">Receives the requests, in the order of their rows. Nothing: no row is ready.</param>
    /// <param name="dropped">Receives requests that are not run because their deadline has passed, or will have before they are done.</param>
    /// <returns>The batch's rows.</returns>
    public int Close(long now, int maxRows, List<TRow> batch, List<TRow> dropped)
    {
        GiveUpSuccessor(now);

        var rows = 0;
        while (rows == 0 && FirstChoice(now) is { } first)
        {
            var most = _buckets.IsAny ? maxRows : Math.Min(maxRows, RowsOfBucket(first.Shape!));
            _deadline.Begin(now, most);
            rows = Fill(first, now, most, batch, dropped);
        }

        if (rows == 0 && _hopeless.Count > 0) rows = RunHopeless(maxRows, batch);
        dropped.AddRange(_hopeless);
        _hopeless.Clear();
        return rows;
    }

    private int RowsOfBucket(ShapeClass shape)
    {
        for (var i = 0; i < _bucketCosts.Length; i++) _bucketCosts[i] = Cost.IsMeasured(_buckets.Sizes[i]) ? Cost.Mean(_buckets.Sizes[i]) : 0;
        return BucketChoice.Choose(shape.ReadyRows, _buckets.Sizes, _bucketCosts).Rows;
    }

    private int Fill(FormerRow first, long now, int maxRows, List<TRow> batch, List<TRow> dropped)
    {
        var rows = 0;
        var shape = first.Shape!;
        for (var row = first; row is not null; row = shape.Rows.First)
        {
            if (row.DeadlineTimestamp <= now)
            {
                Leave(row);
                dropped.Add((TRow)row);
                if (rows == 0) break; // a late first choice does not decide the shape
                continue;
            }

            if (rows > 0 && row.Rows > maxRows - rows) break;
            if (rows > 0 && _deadline.IsBrokenBy(rows, row))
            {
                if (_deadline.MayStaySmall(rows, row, shape.Rows.Count)) break;
                rows -= DropThoseInTheWay(batch, dropped);
                continue;
            }

            Leave(row);
            if (_deadline.CannotKeep(rows, row))
            {
                _hopeless.Add((TRow)row);
                if (rows == 0) break;
                continue;
            }

            batch.Add((TRow)row);
            rows += row.Rows;
            _deadline.Include(row);
        }

        return rows;
    }

    /// <summary>Those of the batch that a full one would make late leave, so that the others can be in time.</summary>
    /// <returns>Their rows.</returns>
    private int DropThoseInTheWay(List<TRow> batch, List<TRow> dropped)
    {
        var rows = 0;
        var kept = 0;
        _deadline.Restart();
        for (var i = 0; i < batch.Count; i++)
        {
            var row = batch[i];
            if (_deadline.IsInTheWay(row))
            {
                dropped.Add(row);
                rows += row.Rows;
                continue;
            }

            batch[kept++] = row;
            _deadline.Include(row);
        }

        batch.RemoveRange(kept, batch.Count - kept);
        return rows;
    }

    /// <summary>The device has nothing better to do, and what is measured corrects the estimate.</summary>
    private int RunHopeless(int maxRows, List<TRow> batch)
    {
        var rows = 0;
        var kept = 0;
        var shape = _hopeless[0].ShapeKey;
        for (var i = 0; i < _hopeless.Count; i++)
        {
            var row = _hopeless[i];
            if (row.ShapeKey == shape && (rows == 0 || row.Rows <= maxRows - rows))
            {
                batch.Add(row);
                rows += row.Rows;
            }
            else
            {
                _hopeless[kept++] = row;
            }
        }

        _hopeless.RemoveRange(kept, _hopeless.Count - kept);
        return rows;
    }

    /// <summary>The frontend wants rows back: those that arrived last, ready or not.</summary>
    /// <param name="rows">How many rows at most.</param>
    /// <param name="returned">Receives the requests; they have left.</param>
    public void Recall(int rows, List<TRow> returned)
    {
        for (var row = _arrived.Last; row is not null && rows > 0;)
        {
            var previous = row.ByArrival.Previous;
            if (row.Rows <= rows)
            {
                rows -= row.Rows;
                Leave(row);
                returned.Add((TRow)row);
            }

            row = previous;
        }
    }

    private FormerRow? FirstChoice(long now)
    {
        if (_ready.First is { } oldest && now - oldest.ReadyTimestamp >= _starvationLimit) return oldest;
        return _all.First;
    }

    private void MakeReady(FormerRow row)
    {
        row.Stage = RowStage.Ready;
        row.Delayed = null;
        if (_ready.Last is { } last) row.ReadyTimestamp = Math.Max(row.ReadyTimestamp, last.ReadyTimestamp); // it was held: in order again
        _ready.Append(row);
        _all.Add(row);
        ref var shape = ref CollectionsMarshal.GetValueRefOrAddDefault(_shapes, row.ShapeKey, out _);
        row.Shape = shape ??= new ShapeClass(row.ShapeKey);
        shape.Rows.Add(row);
        shape.ReadyRows += row.Rows;
        ReadyRows += row.Rows;
    }

    private void Leave(FormerRow row)
    {
        _arrived.Remove(row);
        if (row.Stage == RowStage.Ready)
        {
            _ready.Remove(row);
            _all.Remove(row);
            row.Shape!.Rows.Remove(row);
            row.Shape.ReadyRows -= row.Rows;
            ReadyRows -= row.Rows;
            if (row.Shape.Rows.Count == 0 && _shapes.Count > EmptyShapesKept) _shapes.Remove(row.Shape.Key);
        }

        var delayed = row.Delayed;
        var stage = row.Stage;
        row.Stage = RowStage.Gone;
        row.Delayed = null;
        row.Shape = null;
        if (delayed is null) return;

        if (stage == RowStage.Held) delayed.Held.Remove(row);
        else delayed.Undecoded--;
        ReleaseIfWhole(delayed);
    }

    /// <summary>An announced successor that has not come by now is lost.</summary>
    private void GiveUpSuccessor(long now)
    {
        if (_open is not { } open || now - open.LastArrival < _successorLimit) return;

        open.IsComplete = true;
        _open = null;
        ReleaseIfWhole(open);
    }

    private void ReleaseIfWhole(DelayedBatch batch)
    {
        if (!batch.IsComplete || batch.Undecoded > 0) return;

        foreach (var row in batch.Held) MakeReady(row);
        batch.Held.Clear();
    }

    private readonly struct InAll : IHeapOrder<FormerRow>
    {
        public static bool Before(FormerRow a, FormerRow b) => RowOrder.Before(a, b);

        public static ref int IndexOf(FormerRow item) => ref item.PlaceInAll;
    }

    private readonly struct ArrivalLinks : ILinksOf<FormerRow>
    {
        public static ref Links<FormerRow> Of(FormerRow item) => ref item.ByArrival;
    }

    private readonly struct ReadinessLinks : ILinksOf<FormerRow>
    {
        public static ref Links<FormerRow> Of(FormerRow item) => ref item.ByReadiness;
    }
}
