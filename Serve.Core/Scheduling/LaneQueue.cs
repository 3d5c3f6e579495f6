namespace Serve.Core.Scheduling;

/// <summary>
/// The requests that wait, in priority lanes: lane 0 first, earliest deadline first within a lane, which is first in, first
/// out where all have the same time. A deadline moves a request forward by at most <c>starvationLimit</c>. A lane of which
/// nothing was taken for that long goes before all others for <c>liftedRows</c> rows; then as many go in the usual order, so
/// that priorities still mean something when batches take long and every lane has waited: the first lane has half at least.
/// </summary>
internal sealed class LaneQueue
{
    private readonly Lane[] _lanes;
    private readonly long _starvationLimit;
    private readonly int _liftedRows;
    private Lane? _lifted;
    private int _liftedRowsLeft;
    private int _usualRowsLeft;

    public LaneQueue(int lanes, long starvationLimit, int liftedRows)
    {
        _lanes = new Lane[lanes];
        for (var i = 0; i < lanes; i++) _lanes[i] = new Lane();
        _starvationLimit = starvationLimit;
        _liftedRows = liftedRows;
    }

    public int Requests { get; private set; }

    public int Rows { get; private set; }

    /// <summary>The earliest arrival of those that wait; <see cref="long.MaxValue"/>: nobody waits.</summary>
    public long OldestArrival
    {
        get
        {
            var oldest = long.MaxValue;
            foreach (var lane in _lanes) oldest = Math.Min(oldest, lane.Requests.OldestArrival);
            return oldest;
        }
    }

    /// <summary>Takes a request in, at the place that is its own: one that comes back has its old one.</summary>
    public void Add(ScheduledRequest request, long now)
    {
        var lane = LaneOf(request);
        if (lane.Requests.First is null) lane.WaitingSince = now;
        request.Place = RequestPlace.Queued;
        request.OrderTimestamp = OrderOf(request);
        lane.Requests.Add(request);
        Requests++;
        Rows += request.Rows;
    }

    /// <summary>Rows that would go before a request that is not here yet.</summary>
    public int RowsBefore(ScheduledRequest request)
    {
        if (Requests == 0) return 0;

        var own = LaneOf(request);
        var rows = own.Requests.RowsBefore(OrderOf(request));
        foreach (var lane in _lanes)
        {
            if (lane == own) break;
            rows += lane.Requests.Rows;
        }

        return rows;
    }

    /// <summary>Who goes next; null: nobody waits.</summary>
    public ScheduledRequest? Peek(long now)
    {
        if (Requests == 0) return null;
        if (_lanes.Length == 1) return _lanes[0].Requests.First;

        if (_lifted is null || _lifted.Requests.First is null) Lift(now);
        if (_lifted is not null) return _lifted.Requests.First;

        foreach (var lane in _lanes)
        {
            if (lane.Requests.First is { } first) return first;
        }

        return null;
    }

    /// <summary>Takes out the request that <see cref="Peek"/> named, to be sent.</summary>
    public void Take(ScheduledRequest request, long now)
    {
        Remove(request);
        var lane = LaneOf(request);
        lane.WaitingSince = now;
        if (lane != _lifted)
        {
            if (_usualRowsLeft > 0) _usualRowsLeft -= request.Rows;
            return;
        }

        _usualRowsLeft = _liftedRows;
        _liftedRowsLeft -= request.Rows;
        if (_liftedRowsLeft <= 0) _lifted = null;
    }

    /// <summary>Takes out a request that leaves without being sent.</summary>
    public void Remove(ScheduledRequest request)
    {
        LaneOf(request).Requests.Remove(request);
        request.Place = RequestPlace.Nowhere;
        Requests--;
        Rows -= request.Rows;
    }

    private long OrderOf(ScheduledRequest request) => Math.Min(request.DeadlineTimestamp, request.ArrivalTimestamp + _starvationLimit);

    private void Lift(long now)
    {
        _lifted = null;
        if (_usualRowsLeft > 0) return;
        var since = now - _starvationLimit;
        for (var i = 1; i < _lanes.Length; i++)
        {
            var lane = _lanes[i];
            if (lane.Requests.First is null || lane.WaitingSince > since) continue;
            since = lane.WaitingSince;
            _lifted = lane;
            _liftedRowsLeft = _liftedRows;
        }
    }

    private Lane LaneOf(ScheduledRequest request) => _lanes[Math.Clamp(request.Lane, 0, _lanes.Length - 1)];

    private sealed class Lane
    {
        public RequestTree Requests { get; } = new();

        /// <summary>Since when it has had somebody waiting and nobody taken.</summary>
        public long WaitingSince { get; set; }
    }
}
