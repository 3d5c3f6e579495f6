using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Management.Http;

namespace Serve.Frontend.OpenInference.Infer.Grpc;

/// <summary>
/// One ModelStreamInfer call. Requests run at the same time. Responses keep the requests' order, but for those of decoupled
/// models, which come when they are there. A request that fails has a response with its error, and the stream goes on; with
/// the metadata <c>triton_grpc_error: true</c> the first one ends it with a status.
/// </summary>
internal sealed class InferStream(InferService service, IAsyncStreamReader<TensorCall> calls, IServerStreamWriter<TensorMessage> responses, ServerCallContext context)
{
    // As in InferService: what writing more takes, others on this thread must not wait for.
    private const int BriefBytes = 64 << 10;

    private readonly SemaphoreSlim _writing = new(1);
    private readonly List<Task> _underWay = [];
    private readonly bool _endsWithFirstError = context.RequestHeaders.GetValue("triton_grpc_error") is { } text && text.Equals("true", StringComparison.OrdinalIgnoreCase);
    private ServeException? _failure;

    /// <summary>Reads to the end, and returns when everything is answered.</summary>
    public async Task RunAsync()
    {
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken);
        var before = Task.CompletedTask;
        try
        {
            while (true)
            {
                if (!await calls.MoveNext(ends.Token)) break;
                var call = calls.Current;

                // Not all at once: a stream would fill the model's queue with itself and be refused.
                for (var most = service.MostUnderWay(call); CountUnderWay() >= most;) await Task.WhenAny(_underWay);
                var answered = AnswerAsync(call, before, ends);
                if (answered.InOrder) before = answered.Task;
                _underWay.Add(answered.Task);
            }
        }
        catch (OperationCanceledException) when (_failure is not null)
        {
            // An answer has ended the stream.
        }
        finally
        {
            await Task.WhenAll(_underWay);
        }

        if (_failure is { } failure) throw failure;
    }

    private int CountUnderWay()
    {
        _underWay.RemoveAll(static task => task.IsCompleted);
        return _underWay.Count;
    }

    private (Task Task, bool InOrder) AnswerAsync(TensorCall call, Task before, CancellationTokenSource ends)
    {
        var run = new TensorRun(call, context, isOne: true);
        ValueTask<InferenceResponse> answer;
        try
        {
            answer = service.StartAsync(run, isStream: true);
        }
        catch (Exception e)
        {
            // Told like what fails later, to this request's client alone.
            answer = ValueTask.FromException<InferenceResponse>(e);
        }

        var isDecoupled = run.Target is { IsDecoupled: true };
        return (AnswerAsync(run, answer, isDecoupled ? Task.CompletedTask : before, isDecoupled, ends), !isDecoupled);
    }

    private async Task AnswerAsync(TensorRun run, ValueTask<InferenceResponse> starting, Task before, bool isDecoupled, CancellationTokenSource ends)
    {
        using (run)
        {
            try
            {
                var answer = await starting;
                if (!isDecoupled) await service.JoinAsync(answer);
                await before;
                if (answer.Body.Length > BriefBytes) await Task.Yield();
                if (isDecoupled) await WritePartsAsync(run, answer);
                else await WriteAsync(run.Whole(isFinal: true));
                run.Answered(true);
            }
            catch (Exception e)
            {
                var error = OpenInferenceError.Of(run.Failed(e));
                await before;
                await FailAsync(run, error, ends);

                // Only now: that the client has left may have been seen by a write before it is known.
                if (error.Status == StatusCodes.Status500InternalServerError && e is not ServeException && !context.CancellationToken.IsCancellationRequested) service.TellLog(e, context);
            }
        }
    }

    private async Task WritePartsAsync(TensorRun run, InferenceResponse first)
    {
        if (first.Parts is not { } parts)
        {
            // Whole, or nothing at all.
            if (first.Body.Length > 0) await WriteAsync(run.Part(first, isFinal: true));
            else if (run.WantsFinalResponse) await WriteAsync(run.Final());
            return;
        }

        var write = WriteAsync(run.Part(first, isFinal: false));
        try
        {
            await parts.UntilWrittenAsync(write);
            while (await parts.NextAsync() is { } part) await parts.UntilWrittenAsync(write = WriteAsync(run.Part(part, isFinal: false, isFirst: false) with { Owner = part }));
        }
        catch (ServeException) when (!write.IsCompleted)
        {
            // The client takes nothing: it cannot be told either. The write must have ended before its bytes serve others.
            context.GetHttpContext().Abort();
            await write.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            throw;
        }

        if (run.WantsFinalResponse) await WriteAsync(run.Final());
    }

    private async Task FailAsync(TensorRun run, ServeException error, CancellationTokenSource ends)
    {
        if (_endsWithFirstError)
        {
            Interlocked.CompareExchange(ref _failure, error, null);
            await ends.CancelAsync();
            return;
        }

        if (error is ClientGoneException) return;
        try
        {
            await WriteAsync(run.Error(error.Message));
        }
        catch (Exception e) when (e is OperationCanceledException or InvalidOperationException or IOException or RpcException)
        {
            // The client has left meanwhile.
        }
    }

    private async Task WriteAsync(TensorMessage message)
    {
        await _writing.WaitAsync(context.CancellationToken);
        try
        {
            await responses.WriteAsync(message, context.CancellationToken);
        }
        finally
        {
            _writing.Release();
        }
    }
}
