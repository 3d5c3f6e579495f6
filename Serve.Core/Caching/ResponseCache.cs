using System.Runtime.CompilerServices;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Core.Protocol;
using Serve.Core.Scheduling;
using Serve.Core.Tracing;

namespace Serve.Core.Caching;

/// <summary>
/// The answers of one model version, in front of its scheduler: a request whose answer is known is answered from memory;
/// one that somebody else has under way waits for that one; any other runs. It lives as long as the version: one that is
/// loaded again begins with nothing.
/// </summary>
/// <param name="mostBytes">The most that answers may take.</param>
/// <param name="run">Runs what has to be run.</param>
/// <param name="time">The clock.</param>
/// <param name="metrics">The version's instruments.</param>
/// <param name="counts">The cache's.</param>
internal sealed class ResponseCache(long mostBytes, RunRequest run, TimeProvider time, ModelMetrics metrics, CacheMetrics counts)
{
    // What hashing more than this takes, others must not wait for (docs/decisions/0007).
    private const int BriefBytes = 64 << 10;

    private readonly Lock _gate = new();
    private readonly AnswerStore _answers = new(mostBytes);
    private readonly Dictionary<CacheKey, Flight> _flights = [];
    private volatile bool _streams;

    /// <summary>Answers a request. Takes over the payload and releases it, whatever happens.</summary>
    /// <exception cref="ServeException">As the scheduler's, or 504: not within <paramref name="timeout"/>; 499.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<InferenceResponse> InferAsync(RequestPayload payload, int lane, TimeSpan timeout, bool isClients, int rows, CancellationToken clientGone)
    {
        if (_streams) return await run(payload, lane, timeout, isClients, clientGone, rows).ConfigureAwait(false);
        if (payload.Body.Length > BriefBytes) await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var started = time.GetTimestamp();
        if (!CacheKey.TryOf(payload, out var key)) return await run(payload, lane, timeout, isClients, clientGone, rows).ConfigureAwait(false);

        var deadline = started + time.TicksOf(timeout);
        while (true)
        {
            var (answer, flight, isFirst) = Look(key, lane, deadline);
            if (answer is not null)
            {
                payload.Trace?.Cache = new CacheUse("hit", started, time.GetTimestamp());
                payload.Release();
                counts.Hit(time.GetElapsedTime(started));
                return answer.Respond();
            }

            var left = time.GetElapsedTime(time.GetTimestamp(), deadline);
            if (flight is null) return await run(payload, lane, left, isClients, clientGone, rows).ConfigureAwait(false);
            if (isFirst)
            {
                payload.Trace?.Cache = new CacheUse("miss", started, time.GetTimestamp());
                counts.Missed(time.GetElapsedTime(started));
                _ = FlyAsync(flight, payload, left, isClients, rows);
            }

            FlightEnd end;
            try
            {
                end = await WaitAsync(flight, left, isFirst, clientGone).ConfigureAwait(false);
            }
            catch when (!isFirst)
            {
                payload.Release();
                throw;
            }

            if (isFirst) return end.Answer?.Respond() ?? end.Streamed ?? throw end.Error!;
            if (end.Answer is { } shared)
            {
                payload.Trace?.Cache = new CacheUse("joined", started, time.GetTimestamp());
                payload.Release();
                counts.Joined(time.GetElapsedTime(started));
                return shared.Respond();
            }

            // In parts: only one can have them. Late for who asked first, perhaps not for this one.
            if (end.Error is not { } error || (error is ServeException { Status: 503 or 504 } && deadline > flight.Deadline)) continue;
            payload.Release();
            throw error;
        }
    }

    // The answer; or a flight, and whether it is new; or neither: what is under way is less urgent, or there are answers in parts.
    private (CachedAnswer? Answer, Flight? Flight, bool IsFirst) Look(in CacheKey key, int lane, long deadline)
    {
        lock (_gate)
        {
            if (_streams) return default;
            if (_answers.Find(key) is { } answer) return (answer, null, false);
            if (_flights.TryGetValue(key, out var flight))
            {
                if (flight.Lane > lane) return default;
                flight.Participants++;
                return (null, flight, false);
            }

            return (null, _flights[key] = new Flight(key, lane, deadline), true);
        }
    }

    private async Task FlyAsync(Flight flight, RequestPayload payload, TimeSpan timeout, bool isClients, int rows)
    {
        FlightEnd end;
        try
        {
            var response = await run(payload, flight.Lane, timeout, isClients, flight.Abandoned, rows).ConfigureAwait(false);
            end = response.Parts is null ? new FlightEnd(Copy(response), null, null) : new FlightEnd(null, response, null);
        }
        catch (Exception e)
        {
            end = new FlightEnd(null, null, e);
        }

        if (!Land(flight, end)) end.Streamed?.Dispose();
        flight.Land(end);
        flight.Dispose();
    }

    private static CachedAnswer Copy(InferenceResponse response)
    {
        using (response) return new CachedAnswer(response);
    }

    // Whether the one who asked first still waits.
    private bool Land(Flight flight, in FlightEnd end)
    {
        lock (_gate)
        {
            flight.HasLanded = true;
            if (_flights.GetValueOrDefault(flight.Key) == flight) _flights.Remove(flight.Key);
            if (end.Streamed is not null) _streams = true;
            if (end.Answer is { IsSuccess: true } answer)
            {
                counts.Evicted(_answers.Add(flight.Key, answer));
                counts.SetSize(_answers.SizeBytes, _answers.Count);
            }

            return !flight.IsOrphaned;
        }
    }

    private async Task<FlightEnd> WaitAsync(Flight flight, TimeSpan left, bool isFirst, CancellationToken clientGone)
    {
        try
        {
            // The scheduler keeps the time of who asked first, and knows more about it.
            return await (isFirst ? flight.End.WaitAsync(clientGone) : flight.End.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, time, clientGone)).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            Leave(flight, isFirst, metrics.RequestCancelled);
            throw new ClientGoneException();
        }
        catch (TimeoutException)
        {
            Leave(flight, isFirst, () => metrics.RequestExpired(ExpiredPlace.Queue));
            throw new ResponseTimeoutException($"No answer within {left.TotalMilliseconds:0} ms to a request that another one with the same input had under way.");
        }
    }

    private void Leave(Flight flight, bool isFirst, Action count)
    {
        lock (_gate)
        {
            flight.Participants--;
            if (!flight.HasLanded)
            {
                flight.IsOrphaned |= isFirst;
                if (flight.Participants > 0)
                {
                    count();
                    return;
                }

                // The scheduler counts this one.
                if (_flights.GetValueOrDefault(flight.Key) == flight) _flights.Remove(flight.Key);
                flight.Abandon();
                return;
            }
        }

        // It ended when its client left, and what it came to is about to be there.
        if (isFirst) _ = flight.End.ContinueWith(static end => end.Result.Streamed?.Dispose(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }
}
