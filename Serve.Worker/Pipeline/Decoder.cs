namespace Serve.Worker.Pipeline;

/// <summary>Decodes requests: a decode thread one after the other, while batches of others execute; the reader's thread what is only copied.</summary>
internal sealed class Decoder(PendingRequests pending, IModelWork work, AnswerWriter answers, TimeProvider time)
{
    /// <summary>A decode thread's work, until the worker leaves.</summary>
    public void Run()
    {
        while (pending.ToDecode.Take() is { } request) Begin(request, byReader: false);
    }

    /// <summary>Decodes a request, or answers that it is late.</summary>
    /// <param name="request">The request.</param>
    /// <param name="byReader">Whether this is the reader's thread.</param>
    public void Begin(WorkerRequest request, bool byReader)
    {
        if (!pending.BeginDecoding(request)) return;
        request.DecodeStartTimestamp = time.GetTimestamp();
        if (request.DeadlineTimestamp <= request.DecodeStartTimestamp) AnswerLate(request);
        else Decode(request, byReader);
    }

    private void Decode(WorkerRequest request, bool byReader)
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

        pending.EndDecoding(request, row, byReader);
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
