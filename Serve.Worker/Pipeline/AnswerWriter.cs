using System.Text.Json;
using Microsoft.Extensions.Logging;
using Serve.Core.Errors;
using Serve.Core.Protocol;
using Serve.Worker.Execution;

namespace Serve.Worker.Pipeline;

/// <summary>Turns what became of requests into Output frames. Any thread; what is written goes out with <see cref="Flush"/>.</summary>
internal sealed partial class AnswerWriter(FrameSender sender, IModelWork work, TimeProvider time, ILogger logger)
{
    [ThreadStatic]
    private static byte[]? _head;

    private long _busyTicks;

    /// <summary>Time spent on answers of executed batches so far, of all threads together.</summary>
    public TimeSpan BusyTime => time.GetElapsedTime(0, Interlocked.Read(ref _busyTicks));

    /// <summary>Answers all requests of an executed batch.</summary>
    public void WriteBatch(Batch batch)
    {
        var start = time.GetTimestamp();
        foreach (var request in batch.Requests) WriteExecuted(request, batch);
        Interlocked.Add(ref _busyTicks, time.GetTimestamp() - start);
    }

    /// <summary>Answers a request that did not execute with an error.</summary>
    public void WriteError(WorkerRequest request, Exception error) => WriteError(request.Id, error, TimesOf(request, null, 0));

    /// <summary>Answers a request whose deadline passed, or would have passed before its answer, before it reached the device.</summary>
    public void WriteLate(WorkerRequest request)
    {
        var waited = time.GetElapsedTime(request.ArrivalTimestamp);
        var how = request.DeadlineTimestamp > time.GetTimestamp() ? "cannot be kept any more after it" : "passed while it";
        WriteError(request, new ResponseTimeoutException($"The request's deadline {how} waited in the worker ({waited.TotalMilliseconds:0} ms); it was not executed."));
    }

    /// <summary>Answers a request that was cancelled before it had begun.</summary>
    public void WriteCancelled(ulong id) => WriteEmpty(id, 499, default);

    /// <summary>Answers with what the handler says about itself, and sends it.</summary>
    public void WriteDescription(WorkerRequest request)
    {
        try
        {
            HandlerDescription.Write(work.Handler, request.Response);
            WriteResponse(request, default);
        }
        catch (Exception e)
        {
            WriteError(request.Id, e, default);
        }

        Flush();
    }

    /// <summary>Has everything sent that was written.</summary>
    public void Flush() => sender.Flush(onThisThread: true);

    private void WriteExecuted(WorkerRequest request, Batch batch)
    {
        var start = time.GetTimestamp();
        if (request.IsCancelled)
        {
            WriteEmpty(request.Id, 499, TimesOf(request, batch, 0));
            return;
        }

        var error = request.Call.Error ?? Encode(request);
        var encode = Microseconds(start, time.GetTimestamp());
        if (error is not null) WriteError(request.Id, error, TimesOf(request, batch, encode));
        else WriteResponse(request, TimesOf(request, batch, encode));
    }

    private Exception? Encode(WorkerRequest request)
    {
        try
        {
            work.Encode(request);
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
    }

    private void WriteResponse(WorkerRequest request, in OutputTimes times)
    {
        var response = request.Response;
        if (ResponseCheck.Problem(response) is { } problem)
        {
            WriteError(request.Id, new InternalServerException(problem), times);
            return;
        }

        var head = Head(OutputFrame.HeadBytes(response.ContentType, response.Headers));
        var length = OutputFrame.WriteHead(head, response.Status, times, response.ContentType, response.Headers);
        var body = response.DetachBody(out var bodyLength);
        sender.EnqueuePooled(FrameType.Output, FrameHeader.Last, request.Id, head.AsSpan(0, length), body, bodyLength);
    }

    private void WriteError(ulong id, Exception error, in OutputTimes times)
    {
        var answer = ToAnswer(error);
        if (answer is { Status: >= 500 } and not ResponseTimeoutException) Log.RequestFailed(logger, id, answer.Message, answer.InnerException ?? error);

        var body = JsonSerializer.SerializeToUtf8Bytes(new ErrorMessage(answer.Type, answer.Message), ProtocolJson.Default.ErrorMessage);
        var head = Head(OutputFrame.HeadBytes(OutputFrame.ErrorContentType, []));
        var length = OutputFrame.WriteHead(head, answer.Status, times, OutputFrame.ErrorContentType, []);
        sender.Enqueue(FrameType.Output, FrameHeader.Last, id, head.AsSpan(0, length), body);
    }

    private void WriteEmpty(ulong id, int status, in OutputTimes times)
    {
        var head = Head(OutputFrame.HeadBytes(null, []));
        var length = OutputFrame.WriteHead(head, status, times, null, []);
        sender.Enqueue(FrameType.Output, FrameHeader.Last, id, head.AsSpan(0, length));
    }

    // The message goes to the client, the stack only to the log.
    private static ServeException ToAnswer(Exception error) => error switch
    {
        ServeException known => known,
        OutOfMemoryException => RuntimeFailure.ToAnswer(error),
        _ => new InternalServerException($"The handler failed with {error.GetType().Name}: {error.Message}", error),
    };

    private OutputTimes TimesOf(WorkerRequest request, Batch? batch, uint encode) => new(
        (uint)(batch?.Rows ?? 0),
        Microseconds(request.ArrivalTimestamp, request.DecodeStartTimestamp),
        Microseconds(request.DecodeStartTimestamp, request.ReadyTimestamp),
        batch is null ? 0 : Microseconds(request.ReadyTimestamp, batch.ExecutionTimestamp),
        batch is null ? 0 : Microseconds(batch.ExecutionTimestamp, batch.ExecutedTimestamp),
        encode);

    // A stage that a request did not reach has the timestamp 0.
    private uint Microseconds(long start, long end) => start == 0 || end <= start ? 0 : (uint)Math.Min(uint.MaxValue, time.GetElapsedTime(start, end).TotalMicroseconds);

    private static byte[] Head(int bytes)
    {
        if (_head is null || _head.Length < bytes) _head = new byte[Math.Max(1024, bytes)];
        return _head;
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Error, "Request {Id} failed: {Reason}")]
        public static partial void RequestFailed(ILogger logger, ulong id, string reason, Exception exception);
    }
}
