using System.Runtime.InteropServices;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Core.Protocol;
using Serve.Core.Scheduling;
using Serve.Core.Tracing;

namespace Serve.Core.Workers;

/// <summary>
/// Books what a chunk of a worker's frames says with the dispatcher, and collects the answers that are to be completed after
/// the scheduler's lock, to which this belongs, is released. Hot path.
/// </summary>
/// <param name="scheduler">Whose requests they are; clients that read an answer in parts turn to it.</param>
/// <param name="dispatcher">The dispatcher.</param>
/// <param name="frames">What is sent to workers.</param>
/// <param name="partTimeout">How long after a part the next one has time, in ticks of the clock.</param>
/// <param name="time">The dispatcher's clock.</param>
/// <param name="metrics">The version's instruments.</param>
/// <param name="errors">The version's errors.</param>
internal sealed class ChunkBooking(InferenceScheduler scheduler, Dispatcher dispatcher, DispatchFrames frames, long partTimeout, TimeProvider time, ModelMetrics metrics, RequestErrors errors)
{
    private readonly List<RequestTrace> _traced = [];

    // Of the average, what one more request counts.
    private const double Newest = 1 / 64.0;

    /// <summary>What decoding a request takes on the average, in ticks of the clock: if that is long, a worker has use for a row before the device is free. NaN: not known yet.</summary>
    public double DecodeTicks { get; private set; } = double.NaN;

    /// <summary>The model answers in parts.</summary>
    public bool Streams { get; private set; }

    /// <summary>Books a chunk.</summary>
    /// <param name="slot">The worker.</param>
    /// <param name="events">The frames.</param>
    /// <param name="ids">The ids that Begun and Returned among them name, one after the other.</param>
    /// <param name="completions">Receives the answers.</param>
    /// <param name="now">When it arrived, as a timestamp.</param>
    public void Book(WorkerSlot slot, List<LinkEvent> events, List<ulong> ids, List<Completion> completions, long now)
    {
        var named = (ReadOnlySpan<ulong>)CollectionsMarshal.AsSpan(ids);
        foreach (ref readonly var e in CollectionsMarshal.AsSpan(events))
        {
            switch (e.Type)
            {
                case FrameType.Output when e.IsLast:
                    if (BookAnswer(slot, e) is { } request) completions.Add(new Completion(request, e.Response, e.Error));
                    else e.Response?.Dispose();
                    break;
                case FrameType.Output:
                    if (!BookPart(slot, e, completions)) e.Response?.Dispose();
                    break;
                case FrameType.Begun:
                    BookBatch(slot, named[..e.Count], now);
                    named = named[e.Count..];
                    break;
                case FrameType.Returned:
                    dispatcher.Returned(slot, named[..e.Count]);
                    named = named[e.Count..];
                    break;
                case FrameType.Grant:
                    dispatcher.Grant(slot, e.Count);
                    break;
            }
        }
    }

    // The request to answer, or null when nobody waits.
    private InferenceRequest? BookAnswer(WorkerSlot slot, in LinkEvent e)
    {
        if (slot.Find(e.Id) is not InferenceRequest request) return null;
        var isWanted = !request.IsAbandoned;
        if (e.Response is not null && !request.IsAside) DecodeTicks = AverageWith(Ticks(e.Response.Times.Decode));
        if (e.Error is ServeException { Status: 504 } && request.Place == RequestPlace.Sent) dispatcher.GiveUp(slot, request);
        else dispatcher.Complete(slot, request, e.Response is { } response ? TicksOf(response.Times) : default);
        return isWanted ? request : null;
    }

    // Whether the part goes to its request.
    private bool BookPart(WorkerSlot slot, in LinkEvent e, List<Completion> completions)
    {
        if (slot.Find(e.Id) is not InferenceRequest { IsAbandoned: false } request || e.Response is not { } part) return false;
        if (request.Parts is not { } parts)
        {
            request.Parts = part.Parts = new AnswerParts(scheduler, request, part, scheduler.Responses);
        }
        else if (parts.Waiting < PartWindow.SizeBytes)
        {
            parts.Waiting += PartWindow.CostOf(part.Body.Length);
        }
        else
        {
            // A client that reads slowly must not cost memory without bound, whatever the worker does.
            dispatcher.Remove(request);
            frames.Cancel(slot, request);
            completions.Add(new Completion(request, null, errors.TooManyParts(), IsLast: false));
            return false;
        }

        Streams = true;
        dispatcher.Streamed(slot, request, partTimeout);
        completions.Add(new Completion(request, part, null, IsLast: false));
        return true;
    }

    private void BookBatch(WorkerSlot slot, ReadOnlySpan<ulong> ids, long now)
    {
        var rows = dispatcher.Begun(slot, ids);
        if (rows == 0) return;
        metrics.BatchBegun(rows);
        if (TraceWriter.IsOn) Trace(slot, ids.Length, rows, now);
    }

    private double AverageWith(long ticks) => double.IsNaN(DecodeTicks) ? ticks : DecodeTicks + (ticks - DecodeTicks) * Newest;

    private BatchTicks TicksOf(in OutputTimes times) => new(Ticks(times.Decode), Ticks(times.Execute), Ticks(times.Encode));

    private long Ticks(uint microseconds) => time.TicksOf(TimeSpan.FromTicks(microseconds * TimeSpan.TicksPerMicrosecond));

    // Those that have just begun are the last ones in their list: looking for their ids again costs more than this.
    private void Trace(WorkerSlot slot, int requests, int rows, long now)
    {
        for (var request = slot.Begun.Last; request is not null && request.Batch == slot.Batches; request = request.Previous)
        {
            if (request is InferenceRequest { IsAbandoned: false, Payload.Trace: { } trace }) _traced.Add(trace);
        }

        if (_traced.Count == 0) return;
        var batch = new BatchTrace(rows, requests, now, _traced.Count);
        foreach (var trace in _traced) if (!trace.Join(batch)) batch.Without();
        _traced.Clear();
    }
}
