namespace Serve.Core.Workers;

/// <summary>
/// Answers that a thread completes one after the other. Whoever writes several of them to one connection can send them
/// together: to send costs more than to write.
/// </summary>
public static class AnswerBurst
{
    // Null: none is under way.
    [ThreadStatic]
    private static List<IThreadPoolWorkItem>? _sending;

    [ThreadStatic]
    private static List<IThreadPoolWorkItem>? _spare;

    /// <summary>Leaves the sending to the end of the burst that this thread completes, which is microseconds away.</summary>
    /// <param name="send">What sends; it is called once for each time that it was left, and on this thread.</param>
    /// <returns>False: no burst is under way; the caller sends.</returns>
    public static bool TryLeave(IThreadPoolWorkItem send)
    {
        if (_sending is not { } sending) return false;
        sending.Add(send);
        return true;
    }

    /// <summary>Begins one. Completing answers may lead to more of them; those are the same burst.</summary>
    /// <returns>Whether <see cref="End"/> is to be called.</returns>
    internal static bool TryBegin()
    {
        if (_sending is not null) return false;
        (_sending, _spare) = (_spare ?? [], null);
        return true;
    }

    /// <summary>Sends what was left.</summary>
    internal static void End()
    {
        var sending = _sending!;
        _sending = null;
        foreach (var send in sending) send.Execute();
        sending.Clear();
        _spare = sending;
    }
}
