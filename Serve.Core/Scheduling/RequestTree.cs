namespace Serve.Core.Scheduling;

/// <summary>
/// The requests that wait in one lane, by <see cref="ScheduledRequest.OrderTimestamp"/>, then by arrival. A treap linked
/// through the requests: joining, leaving from anywhere and counting who is before somebody take logarithmic time, and
/// nothing is allocated. A request is in one tree or list at a time.
/// </summary>
internal sealed class RequestTree
{
    private ScheduledRequest? _root;

    /// <summary>Who is first in line.</summary>
    public ScheduledRequest? First { get; private set; }

    public int Count { get; private set; }

    public int Rows => _root?.TreeRows ?? 0;

    /// <summary>The earliest arrival of all; <see cref="long.MaxValue"/>: nobody is here.</summary>
    public long OldestArrival => _root?.TreeOldestArrival ?? long.MaxValue;

    public void Add(ScheduledRequest request)
    {
        request.Previous = request.Next = null;
        Sum(request);
        _root = Insert(_root, request);
        Count++;
        if (First is null || Before(request, First)) First = request;
    }

    public void Remove(ScheduledRequest request)
    {
        _root = Delete(_root!, request);
        request.Previous = request.Next = null;
        Count--;
        if (request == First) First = FirstOf(_root);
    }

    /// <summary>Rows of those that would go before this request if it joined now; it is not here yet.</summary>
    public int RowsBefore(long orderTimestamp)
    {
        var rows = 0;
        for (var node = _root; node is not null;)
        {
            if (node.OrderTimestamp > orderTimestamp)
            {
                node = node.Previous;
                continue;
            }

            rows += node.Rows + RowsOf(node.Previous);
            node = node.Next;
        }

        return rows;
    }

    private static bool Before(ScheduledRequest a, ScheduledRequest b) =>
        a.OrderTimestamp != b.OrderTimestamp ? a.OrderTimestamp < b.OrderTimestamp : a.Sequence < b.Sequence;

    /// <summary>Any fixed shuffle of the numbers keeps the tree balanced, in whatever order they come.</summary>
    private static uint Height(ScheduledRequest request) => (uint)(((ulong)request.Sequence * 0x9E3779B97F4A7C15) >> 32);

    private static ScheduledRequest Insert(ScheduledRequest? node, ScheduledRequest request)
    {
        if (node is null) return request;
        if (Height(request) > Height(node))
        {
            (request.Previous, request.Next) = Split(node, request);
            return Sum(request);
        }

        if (Before(request, node)) node.Previous = Insert(node.Previous, request);
        else node.Next = Insert(node.Next, request);
        return Sum(node);
    }

    private static (ScheduledRequest? Before, ScheduledRequest? After) Split(ScheduledRequest? node, ScheduledRequest at)
    {
        if (node is null) return default;
        if (Before(node, at))
        {
            (node.Next, var after) = Split(node.Next, at);
            return (Sum(node), after);
        }

        (var before, node.Previous) = Split(node.Previous, at);
        return (before, Sum(node));
    }

    private static ScheduledRequest? Delete(ScheduledRequest node, ScheduledRequest request)
    {
        if (node == request) return Merge(node.Previous, node.Next);
        if (Before(request, node)) node.Previous = Delete(node.Previous!, request);
        else node.Next = Delete(node.Next!, request);
        return Sum(node);
    }

    private static ScheduledRequest? Merge(ScheduledRequest? before, ScheduledRequest? after)
    {
        if (before is null) return after;
        if (after is null) return before;
        if (Height(before) > Height(after))
        {
            before.Next = Merge(before.Next, after);
            return Sum(before);
        }

        after.Previous = Merge(before, after.Previous);
        return Sum(after);
    }

    private static ScheduledRequest? FirstOf(ScheduledRequest? node)
    {
        while (node?.Previous is { } before) node = before;
        return node;
    }

    private static ScheduledRequest Sum(ScheduledRequest node)
    {
        node.TreeRows = node.Rows + RowsOf(node.Previous) + RowsOf(node.Next);
        node.TreeOldestArrival = Math.Min(node.ArrivalTimestamp, Math.Min(OldestOf(node.Previous), OldestOf(node.Next)));
        return node;
    }

    private static int RowsOf(ScheduledRequest? node) => node?.TreeRows ?? 0;

    private static long OldestOf(ScheduledRequest? node) => node?.TreeOldestArrival ?? long.MaxValue;
}
