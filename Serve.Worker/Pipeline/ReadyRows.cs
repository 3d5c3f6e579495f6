namespace Serve.Worker.Pipeline;

/// <summary>Requests whose rows are ready, in the order in which batches take them: lane, deadline, arrival. Under the lock of <see cref="PendingRequests"/>.</summary>
internal sealed class ReadyRows(int maxRows)
{
    private readonly List<(WorkerRequest Request, int ShapeClass)> _rows = [];

    public int Count => _rows.Count;

    public void Add(WorkerRequest request, int shapeClass)
    {
        var at = _rows.Count;
        while (at > 0 && Before(request, _rows[at - 1].Request)) at--;
        _rows.Insert(at, (request, shapeClass));
    }

    public void Remove(WorkerRequest request)
    {
        for (var i = 0; i < _rows.Count; i++)
        {
            if (!ReferenceEquals(_rows[i].Request, request)) continue;
            _rows.RemoveAt(i);
            return;
        }
    }

    /// <summary>Moves what the next batch takes into it: the first row's shape class, as many as fit; what is late goes to <see cref="Batch.Late"/>.</summary>
    public void Close(Batch batch, long now)
    {
        var shapeClass = -1;
        var kept = 0;
        for (var i = 0; i < _rows.Count; i++)
        {
            var (request, itsClass) = _rows[i];
            if (request.DeadlineTimestamp <= now)
            {
                batch.Late.Add(request);
            }
            else if ((batch.Requests.Count == 0 || itsClass == shapeClass) && batch.Rows + request.Rows <= maxRows)
            {
                shapeClass = itsClass;
                batch.Add(request);
            }
            else
            {
                _rows[kept++] = _rows[i];
            }
        }

        _rows.RemoveRange(kept, _rows.Count - kept);
    }

    private static bool Before(WorkerRequest one, WorkerRequest other)
    {
        if (one.Lane != other.Lane) return one.Lane < other.Lane;
        return one.DeadlineTimestamp < other.DeadlineTimestamp;
    }
}
