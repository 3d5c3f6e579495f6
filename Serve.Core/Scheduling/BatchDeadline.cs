namespace Serve.Core.Scheduling;

/// <summary>
/// How large a batch may become before its oldest request is late: the part of the <see cref="BatchFormer{TRow}"/> that knows
/// what batches cost. Says yes to everything while too little was measured.
/// </summary>
internal sealed class BatchDeadline(BatchCostModel cost, BatchBuckets buckets, long answerTicks)
{
    private long _now;
    private int _maxRows;
    private long _oldest;
    private long _endOfFull;
    private int _lane;

    /// <summary>A batch is begun.</summary>
    public void Begin(long now, int maxRows)
    {
        (_now, _maxRows, _endOfFull) = (now, maxRows, 0);
        Restart();
    }

    /// <summary>Forgets who is in the batch.</summary>
    public void Restart() => _oldest = long.MaxValue;

    /// <summary>A row is in the batch from now on.</summary>
    public void Include(FormerRow row) => _oldest = Math.Min(_oldest, row.DeadlineTimestamp);

    /// <summary>
    /// Whether the batch, with this row too, might make a row late that is in it already. Once it is to be a full one, the mean
    /// decides.
    /// </summary>
    public bool IsBrokenBy(int rows, FormerRow row) =>
        cost.HasEvidence && _now + answerTicks + (_endOfFull > 0 ? Mean(rows + row.Rows) : cost.P99(buckets.SizeOf(rows + row.Rows))) > _oldest;

    /// <summary>Whether the row would be late in the batch as it is, and so in every later one.</summary>
    public bool CannotKeep(int rows, FormerRow row) => cost.HasEvidence && Math.Max(EndOf(rows + row.Rows), _endOfFull) > row.DeadlineTimestamp;

    /// <summary>
    /// Whether the batch may be closed for the sake of its oldest row: the next one can still be in time in the batch after
    /// this one, or would not be in a full one either. If not, <see cref="IsInTheWay"/> says who has to leave.
    /// </summary>
    /// <param name="rows">Rows of the batch.</param>
    /// <param name="next">The row that does not fit.</param>
    /// <param name="waiting">How many wait with it.</param>
    public bool MayStaySmall(int rows, FormerRow next, int waiting)
    {
        var full = EndOf(Math.Min(_maxRows, rows + waiting));
        if (_endOfFull > 0 || full > next.DeadlineTimestamp) return true;
        if (EndOf(rows) + Mean(Math.Min(_maxRows, waiting)) <= next.DeadlineTimestamp) return true;

        (_endOfFull, _lane) = (full, next.Lane);
        return false;
    }

    /// <summary>Whether a full batch would make this row late. Never one of a lane that goes before.</summary>
    public bool IsInTheWay(FormerRow row) => row.DeadlineTimestamp < _endOfFull && row.Lane >= _lane;

    private long EndOf(int rows) => _now + answerTicks + Mean(rows);

    private long Mean(int rows) => cost.Mean(buckets.SizeOf(rows));
}
