using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Core.Protocol;

namespace Serve.Core.Workers;

/// <summary>
/// Hands a chunk's answers to those who wait for them, after the scheduler's lock is released and what the chunk made
/// possible is sent. Hot path.
/// </summary>
/// <param name="inline">Whether many are completed by the workers' readers, or only a few.</param>
/// <param name="time">The clock.</param>
/// <param name="metrics">The version's instruments.</param>
/// <param name="log">Where the failures of requests are told.</param>
internal sealed partial class AnswerCompleter(bool inline, TimeProvider time, ModelMetrics metrics, ILogger log)
{
    // So many answers of a chunk are completed by the reader: waking another would take longer. More are spread over
    // the thread pool, so that the reader sees the next chunk; so many an item, because an item for each costs as much as
    // completing it.
    private const int Few = 16;
    private const int FewInline = 64;
    private const int OfItem = 16;

    private readonly int _mostOnReader = inline ? FewInline : Few;
    private volatile ResponseStatistics? _responses;

    /// <summary>Counts the responses of a decoupled model; null: it is none, or not known to be one.</summary>
    public ResponseStatistics? Responses
    {
        get => _responses;
        set => _responses = value;
    }

    /// <summary>Completes them all, and empties the list.</summary>
    /// <param name="completions">The caller's, who uses it again.</param>
    /// <param name="now">When they arrived, as a timestamp.</param>
    public void CompleteAll(List<Completion> completions, long now)
    {
        if (completions.Count <= _mostOnReader)
        {
            foreach (ref readonly var completion in CollectionsMarshal.AsSpan(completions)) Complete(completion, now);
        }
        else
        {
            CompleteStreamed(completions, now);
            for (var at = 0; at < completions.Count; at += OfItem)
            {
                var some = completions.GetRange(at, Math.Min(OfItem, completions.Count - at));
                ThreadPool.UnsafeQueueUserWorkItem(new Item(this, some, now), preferLocal: false);
            }
        }

        completions.Clear();
    }

    // Parts of one answer must stay in their order, which items on several threads would not keep.
    private void CompleteStreamed(List<Completion> completions, long now)
    {
        var whole = 0;
        for (var i = 0; i < completions.Count; i++)
        {
            if (completions[i].Request.Parts is { } parts) CompletePart(completions[i], parts, now);
            else completions[whole++] = completions[i];
        }

        completions.RemoveRange(whole, completions.Count - whole);
    }

    private void Complete(in Completion completion, long now)
    {
        var request = completion.Request;
        if (request.Parts is { } parts)
        {
            CompletePart(completion, parts, now);
            return;
        }

        if (completion.Response is { } response)
        {
            if (!request.IsAside) Record(request, response.Times, now);
            if (_responses is { } responses && !request.IsAside) CountOnly(responses, request, response, now);
            response.RequestTimes = request.Payload.Times;
            request.Payload.Release();
            request.TryComplete(response);
            return;
        }

        Tell(completion);
        request.Payload.Release();
        if (_responses is { } failed && request is { IsAside: false, SentTimestamp: > 0 }) failed.Failed(0, request.SentTimestamp, now);
        if (request.TryFail(completion.Error!) && completion.Error is ServeException { Status: 504 }) metrics.RequestExpired(ExpiredPlace.Worker);
    }

    private void CompletePart(in Completion completion, AnswerParts parts, long now)
    {
        var request = completion.Request;
        if (completion.Response is not { } part)
        {
            Tell(completion);
            if (completion.IsLast) request.Payload.Release();
            request.TryFail(completion.Error!);
            return;
        }

        if (part.Parts is not null)
        {
            metrics.FirstPart(time.GetElapsedTime(request.ArrivalTimestamp, now), request.Payload.Trace);
            request.TryComplete(part);
            return;
        }

        if (!completion.IsLast)
        {
            metrics.PartArrived();
            parts.Add(part);
            return;
        }

        Record(request, part.Times, now);
        request.Payload.Release();
        if (part.Body.IsEmpty)
        {
            part.Dispose();
        }
        else
        {
            metrics.PartArrived();
            parts.Add(part);
        }

        request.TryEnd(parts, error: null);
    }

    // An answer that came whole has one response, or none.
    private static void CountOnly(ResponseStatistics responses, InferenceRequest request, InferenceResponse response, long now)
    {
        if (response.Body.IsEmpty) responses.Ended(0, request.SentTimestamp, now);
        else responses.Succeeded(0, request.SentTimestamp, now, now);
    }

    // By the id that the client knows, while the payload is still the request's.
    private void Tell(in Completion completion)
    {
        if (completion.Error is not WorkerFailedException { Detail: { } detail } failure) return;
        using (LogTrace.Of(completion.Request.Payload.Trace)) Log.RequestFailed(log, failure.Worker, completion.Request.Payload.RequestId ?? "-", failure.Message, detail);
    }

    private void Record(InferenceRequest request, in OutputTimes times, long now)
    {
        request.Payload.Trace?.Answered(now, times);
        var exemplar = metrics.ExemplarOf(request.Payload.Trace, time.GetElapsedTime(request.ArrivalTimestamp, now));
        var atWorker = time.GetElapsedTime(request.SentTimestamp, now);
        var transfer = atWorker - Microseconds((long)times.DecodeWait + times.Decode + times.Assemble + times.Execute + times.Encode);
        if (transfer < TimeSpan.Zero) transfer = TimeSpan.Zero;
        var queue = time.GetElapsedTime(request.ArrivalTimestamp, request.SentTimestamp);
        request.Payload.Times?.Answered(queue, transfer, times);
        metrics.StageDone(RequestStage.Queue, queue, exemplar);
        metrics.StageDone(RequestStage.Transfer, transfer, exemplar);
        metrics.StageDone(RequestStage.DecodeWait, Microseconds(times.DecodeWait), exemplar);
        metrics.StageDone(RequestStage.Decode, Microseconds(times.Decode), exemplar);
        metrics.StageDone(RequestStage.Assemble, Microseconds(times.Assemble), exemplar);
        metrics.StageDone(RequestStage.Execute, Microseconds(times.Execute), exemplar);
        metrics.StageDone(RequestStage.Encode, Microseconds(times.Encode), exemplar);
    }

    private static TimeSpan Microseconds(long value) => TimeSpan.FromTicks(value * TimeSpan.TicksPerMicrosecond);

    private static partial class Log
    {
        [LoggerMessage(25, LogLevel.Error, "worker {Worker}: request {RequestId} failed: {Reason}: {Detail}", EventName = LogEventNames.WorkerOutput)]
        public static partial void RequestFailed(ILogger log, string worker, string requestId, string reason, string detail);
    }

    /// <summary>Some of a chunk's answers, completed one after the other on a thread of the pool.</summary>
    private sealed class Item(AnswerCompleter completer, List<Completion> completions, long now) : IThreadPoolWorkItem
    {
        public void Execute()
        {
            foreach (ref readonly var completion in CollectionsMarshal.AsSpan(completions)) completer.Complete(completion, now);
        }
    }
}

/// <summary>A request and its answer, to be put together after the lock is released.</summary>
/// <param name="Request">The request.</param>
/// <param name="Response">Its answer, or null.</param>
/// <param name="Error">The error instead.</param>
/// <param name="IsLast">Nothing more comes for the request, and no worker has it any more.</param>
internal readonly record struct Completion(InferenceRequest Request, InferenceResponse? Response, Exception? Error, bool IsLast = true);
