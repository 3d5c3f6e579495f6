namespace Serve.Worker.Pipeline;

/// <summary>Decodes one request after the other, while batches of others execute.</summary>
internal sealed class DecodeThread(PendingRequests pending, IModelWork work, AnswerWriter answers, TimeProvider time)
{
    /// <summary>Runs until the worker leaves.</summary>
    public void Run()
    {
        while (pending.ToDecode.Take() is { } request)
        {
            if (!pending.BeginDecoding(request)) continue;
            request.DecodeStartTimestamp = time.GetTimestamp();
            if (request.DeadlineTimestamp <= request.DecodeStartTimestamp) AnswerLate(request);
            else Decode(request);
        }
    }

    private void Decode(WorkerRequest request)
    {
        DecodedRow row;
        try
        {
            row = work.Decode(request);
        }
        catch (Exception e)
        {
            // Whatever a handler throws is this request's answer and nobody else's.
            request.ReadyTimestamp = time.GetTimestamp();
            if (!pending.FailDecoding(request)) return;
            answers.WriteError(request, e);
            Leave(request);
            return;
        }

        pending.EndDecoding(request, row);
    }

    private void AnswerLate(WorkerRequest request)
    {
        if (!pending.FailDecoding(request)) return;
        answers.WriteLate(request);
        Leave(request);
    }

    private void Leave(WorkerRequest request)
    {
        answers.Flush();
        pending.Release(request);
    }
}
