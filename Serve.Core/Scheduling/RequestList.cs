namespace Serve.Core.Scheduling;

/// <summary>A list of requests linked through themselves: no allocation, removal from anywhere. A request is in one list at a time.</summary>
internal sealed class RequestList
{
    public ScheduledRequest? First { get; private set; }

    public ScheduledRequest? Last { get; private set; }

    public int Count { get; private set; }

    public int Rows { get; private set; }

    /// <summary>Whether there is a request that is in batches.</summary>
    public bool HasRows
    {
        get
        {
            for (var request = First; request is not null; request = request.Next)
            {
                if (!request.IsAside) return true;
            }

            return false;
        }
    }

    public void Append(ScheduledRequest request) => InsertAfter(Last, request);

    /// <summary>
    /// Puts a request to its place by <see cref="ScheduledRequest.Sequence"/>. Searched from the front: what comes back to a
    /// queue is older than nearly all that waits there.
    /// </summary>
    public void InsertInOrder(ScheduledRequest request)
    {
        ScheduledRequest? before = null;
        for (var next = First; next is not null && next.Sequence < request.Sequence; next = next.Next) before = next;
        InsertAfter(before, request);
    }

    public void Remove(ScheduledRequest request)
    {
        if (request.Previous is { } previous) previous.Next = request.Next;
        else First = request.Next;

        if (request.Next is { } next) next.Previous = request.Previous;
        else Last = request.Previous;

        request.Previous = request.Next = null;
        Count--;
        Rows -= request.Rows;
    }

    private void InsertAfter(ScheduledRequest? before, ScheduledRequest request)
    {
        var next = before is null ? First : before.Next;
        request.Previous = before;
        request.Next = next;

        if (before is null) First = request;
        else before.Next = request;

        if (next is null) Last = request;
        else next.Previous = request;

        Count++;
        Rows += request.Rows;
    }
}
