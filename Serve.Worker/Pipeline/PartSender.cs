using System.Runtime.CompilerServices;
using Serve.Core.Errors;

namespace Serve.Worker.Pipeline;

/// <summary>
/// Sends the parts of answers while their batch executes, and ends requests of a batch one by one. Any thread of the
/// handler's, one at a time for a request.
/// </summary>
internal sealed class PartSender(PendingRequests pending, AnswerWriter answers)
{
    /// <summary>Sends the response as it is as the next part, as soon as the client has room for it.</summary>
    /// <returns>False: nobody waits for it any more, or the response cannot be sent; the call has ended.</returns>
    public ValueTask<bool> SendAsync(WorkerRequest request)
    {
        if (request.Room!.HasRoom) return new(Send(request));
        return WaitAndSendAsync(request);
    }

    /// <summary>Ends a request while its batch goes on: its place is free for another from now on.</summary>
    public void End(WorkerRequest request)
    {
        answers.WriteEnd(request);
        answers.Flush();
        pending.EndEarly(request)?.Cancel();
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> WaitAndSendAsync(WorkerRequest request)
    {
        await request.Room!.WhenRoom().ConfigureAwait(false);
        return Send(request);
    }

    private bool Send(WorkerRequest request)
    {
        if (request.PartsSent == 0 && ResponseCheck.Problem(request.Response) is { } problem) request.Call.Fail(new InternalServerException(problem));
        if (request.IsCancelled || request.Call.Error is not null)
        {
            request.Call.End();
            return false;
        }

        request.Room!.Fill(answers.WritePart(request));
        request.PartsSent++;
        request.Batch!.Streams = true;
        answers.Flush();
        return true;
    }
}
