using Serve.Core.Protocol;

namespace Serve.Worker.Pipeline;

/// <summary>Says Begun, executes, and reports the end; the same on the device thread and on the reader's.</summary>
internal sealed class BatchExecutor(PendingRequests pending, FrameSender sender, AnswerWriter answers, TimeProvider time)
{
    private ulong _lastNumber;

    /// <summary>Executes a closed batch, after answering those that were late for it; they do not wait for the execution.</summary>
    /// <returns>Whether the next batch could begin at once.</returns>
    public bool Execute(Batch batch, IBatchRunner runner)
    {
        AnswerLate(batch);
        if (batch.Requests.Count == 0) return false;

        SayBegun(batch);
        batch.ExecutionTimestamp = time.GetTimestamp();
        runner.Execute(batch);
        batch.ExecutedTimestamp = time.GetTimestamp();
        return pending.EndExecution(batch);
    }

    private void AnswerLate(Batch batch)
    {
        if (batch.Late.Count == 0) return;
        foreach (var request in batch.Late)
        {
            answers.WriteLate(request);
            pending.Release(request);
        }

        batch.Late.Clear();
        answers.Flush();
    }

    private void SayBegun(Batch batch)
    {
        Span<ulong> ids = batch.Requests.Count <= 128 ? stackalloc ulong[batch.Requests.Count] : new ulong[batch.Requests.Count];
        for (var i = 0; i < ids.Length; i++) ids[i] = batch.Requests[i].Id;
        SayBegun(ids);
    }

    /// <summary>Says that requests begin. In the socket before they do: after a crash the frontend can still read it, and knows who was in the batch.</summary>
    public void SayBegun(ReadOnlySpan<ulong> ids)
    {
        IdListFrame.Enqueue(sender, FrameType.Begun, Interlocked.Increment(ref _lastNumber), ids);
        sender.FlushAndWait();
    }
}
