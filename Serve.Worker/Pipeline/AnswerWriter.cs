using System.Text.Json;
using Serve.Core.Errors;
using Serve.Core.Protocol;
using Serve.Worker.Execution;

namespace Serve.Worker.Pipeline;

/// <summary>Turns what became of requests into Output frames. Any thread; what is written goes out with <see cref="Flush"/>.</summary>
internal sealed class AnswerWriter(FrameSender sender, IModelWork work, TimeProvider time)
{
    private const int LongestDetail = 16 << 10;

    private static readonly KeyValuePair<string, string>[] NoHeaders = [];

    [ThreadStatic]
    private static byte[]? _head;

    private long _busyTicks;

    /// <summary>Time spent on answers of executed batches so far, of all threads together.</summary>
    public TimeSpan BusyTime => time.GetElapsedTime(0, Interlocked.Read(ref _busyTicks));

    /// <summary>Answers all requests of an executed batch.</summary>
    /// <returns>Ticks of the clock that it took; sending comes later.</returns>
    public long WriteBatch(Batch batch)
    {
        var start = time.GetTimestamp();
        foreach (var request in batch.Requests)
        {
            if (!request.Call.IsEnded) WriteExecuted(request, batch, batch.ExecutedTimestamp);
        }

        var took = time.GetTimestamp() - start;
        Interlocked.Add(ref _busyTicks, took);
        return took;
    }

    /// <summary>Ends the answer of a request while its batch goes on.</summary>
    public void WriteEnd(WorkerRequest request) => WriteExecuted(request, request.Batch!, time.GetTimestamp());

    /// <summary>Writes a response, which has been checked, as a part of an answer; status, type and headers are those of the first.</summary>
    /// <returns>What the part costs of the client's room.</returns>
    public long WritePart(WorkerRequest request) => WriteBody(request, TimesOf(request, request.Batch, 0, time.GetTimestamp()), isLast: false);

    /// <summary>Answers a request that did not execute with an error.</summary>
    public void WriteError(WorkerRequest request, Exception error) => WriteError(request.Id, error, TimesOf(request, null, 0, 0));

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

    /// <summary>The same, and waits until the socket has it.</summary>
    public void FlushAndWait() => sender.FlushAndWait();

    private void WriteExecuted(WorkerRequest request, Batch batch, long executed)
    {
        var start = time.GetTimestamp();
        if (request.IsCancelled)
        {
            WriteEmpty(request.Id, 499, TimesOf(request, batch, 0, executed));
            return;
        }

        var error = request.Call.Error ?? Encode(request);
        var encode = Microseconds(start, time.GetTimestamp());
        if (error is not null) WriteError(request.Id, error, TimesOf(request, batch, encode, executed));
        else WriteResponse(request, TimesOf(request, batch, encode, executed));
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
        if (request.PartsSent == 0 && ResponseCheck.Problem(request.Response) is { } problem) WriteError(request.Id, new InternalServerException(problem), times);
        else WriteBody(request, times, isLast: true);
    }

    private long WriteBody(WorkerRequest request, in OutputTimes times, bool isLast)
    {
        var response = request.Response;
        var isFirst = request.PartsSent == 0;
        var (status, contentType, headers) = (isFirst ? response.Status : 200, isFirst ? response.ContentType : null, isFirst ? response.Headers : NoHeaders);
        var head = Head(OutputFrame.HeadBytes(contentType, headers));
        var length = OutputFrame.WriteHead(head, status, times, contentType, headers);
        var body = response.DetachBody(out var bodyLength);
        sender.EnqueuePooled(FrameType.Output, isLast ? FrameHeader.Last : (byte)0, request.Id, head.AsSpan(0, length), body, bodyLength);
        return PartWindow.CostOf(bodyLength);
    }

    private void WriteError(ulong id, Exception error, in OutputTimes times)
    {
        var (status, message) = Describe(error);
        var body = JsonSerializer.SerializeToUtf8Bytes(message, ProtocolJson.Default.ErrorMessage);
        var head = Head(OutputFrame.HeadBytes(OutputFrame.ErrorContentType, []));
        var length = OutputFrame.WriteHead(head, status, times, OutputFrame.ErrorContentType, []);
        sender.Enqueue(FrameType.Output, FrameHeader.Last, id, head.AsSpan(0, length), body);
    }

    private static (int Status, ErrorMessage Message) Describe(Exception error)
    {
        try
        {
            var answer = ToAnswer(error);
            return (answer.Status, new ErrorMessage(answer.Type, answer.Message, DetailOf(answer, error)));
        }
        catch (Exception e)
        {
            // What an exception of a handler says is the handler's code.
            return (500, new ErrorMessage(nameof(InternalServerException), $"The handler failed with {error.GetType().Name}, which cannot be described: that failed with {e.GetType().Name}."));
        }
    }

    // The frontend logs it, since it knows by which id the client can ask about the request.
    private static string? DetailOf(ServeException answer, Exception error)
    {
        if (answer is { Status: < 500 } or ResponseTimeoutException) return null;
        var detail = (answer.InnerException ?? error).ToString();
        return detail.Length > LongestDetail ? detail[..LongestDetail] + "…" : detail;
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
        ServeException { Status: >= 400 and <= 599 and not 499 } known => known,
        ServeException unknown => new InternalServerException($"The handler failed with the status {unknown.Status}, which is no error that a handler can answer with: {unknown.Message}", unknown),
        OutOfMemoryException => RuntimeFailure.ToAnswer(error),
        _ => new InternalServerException($"The handler failed with {error.GetType().Name}: {error.Message}", error),
    };

    private OutputTimes TimesOf(WorkerRequest request, Batch? batch, uint encode, long executed) => new(
        (uint)(batch?.Rows ?? 0),
        Microseconds(request.ArrivalTimestamp, request.DecodeStartTimestamp),
        Microseconds(request.DecodeStartTimestamp, request.ReadyTimestamp),
        batch is null ? 0 : Microseconds(request.ReadyTimestamp, batch.ExecutionTimestamp),
        batch is null ? 0 : Microseconds(batch.ExecutionTimestamp, executed),
        encode);

    // A stage that a request did not reach has the timestamp 0.
    private uint Microseconds(long start, long end) => start == 0 || end <= start ? 0 : (uint)Math.Min(uint.MaxValue, time.GetElapsedTime(start, end).TotalMicroseconds);

    private static byte[] Head(int bytes)
    {
        if (_head is null || _head.Length < bytes) _head = new byte[Math.Max(1024, bytes)];
        return _head;
    }
}
