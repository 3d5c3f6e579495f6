namespace Serve.Core.Scheduling;

/// <summary>
/// The requests that wait, in priority lanes: lane 0 first, first in, first out within a lane. A lane of which nothing was
/// taken for <c>starvationLimit</c> goes before all others for <c>liftedRows</c> rows; one lift each limit, so that
/// priorities still mean something when every lane has waited for long.
/// </summary>
internal sealed class LaneQueue
{
    private readonly Lane[] _lanes;
    private readonly long _starvationLimit;
    private readonly int _liftedRows;
    private Lane? _lifted;
    private int _liftedRowsLeft;

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
            foreach (var lane in _lanes)
            {
                if (lane.Requests.First is { } first) oldest = Math.Min(oldest, first.ArrivalTimestamp);
            }

            return oldest;
        }
    }

    public void Add(ScheduledRequest request, long now)
    {
        Enter(request, now).Append(request);
    }

    /// <summary>Back to the place that it had before it was sent.</summary>
    public void PutBack(ScheduledRequest request, long now)
    {
        Enter(request, now).InsertInOrder(request);
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
        if (lane != _lifted) return;

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

    private RequestList Enter(ScheduledRequest request, long now)
    {
        var lane = LaneOf(request);
        if (lane.Requests.First is null) lane.WaitingSince = now;
        request.Place = RequestPlace.Queued;
        Requests++;
        Rows += request.Rows;
        return lane.Requests;
    }

    private void Lift(long now)
    {
        _lifted = null;
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
        public RequestList Requests { get; } = new();

        /// <summary>Since when it has had somebody waiting and nobody taken.</summary>
        public long WaitingSince { get; set; }
    }
}
