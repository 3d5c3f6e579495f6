using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Serve.Core.Observability;
using Serve.Core.Protocol;
using Serve.Core.Workers;

namespace Serve.Core.Models;

/// <summary>
/// The parts of an answer after its first. A transport takes one after the other and writes each before it takes the next:
/// by that the worker learns how fast its client reads, and waits when <see cref="PartWindow.SizeBytes"/> wait here.
/// </summary>
public sealed class AnswerParts
{
    private static readonly Errors.ClientGoneException Abandoned = new();

    private readonly Channel<InferenceResponse> _arrived = Channel.CreateUnbounded<InferenceResponse>(new UnboundedChannelOptions { SingleReader = true });
    private readonly TaskCompletionSource<Exception> _brokenOff = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly InferenceScheduler _scheduler;
    private readonly InferenceRequest _request;
    private int _isEnded;

    // The reader's: the cost of the part that it writes, and of those that it has written and the worker has not been told of.
    private long _writing;
    private long _untold;

    // Of a decoupled model: which response is the reader's, when the one before it was written, and when it was there.
    private readonly ResponseStatistics? _statistics;
    private int _index;
    private long _from;
    private long _made;
    private bool _isCounted;

    internal AnswerParts(InferenceScheduler scheduler, InferenceRequest request, InferenceResponse first, ResponseStatistics? statistics)
    {
        (_scheduler, _request, _statistics) = (scheduler, request, statistics);
        if (statistics is not null) (_from, _made) = (request.SentTimestamp, statistics.Now);
        _writing = Waiting = PartWindow.CostOf(first.Body.Length);
        Bytes = first.Body.Length;
    }

    /// <summary>Bytes of all parts that were taken so far.</summary>
    public long Bytes { get; private set; }

    /// <summary>Whether the last part is here, or none will come any more.</summary>
    internal bool IsEnded => Volatile.Read(ref _isEnded) != 0;

    /// <summary>What the parts cost that have arrived and that the worker does not know to be taken; belongs to the version's lock.</summary>
    internal long Waiting { get; set; }

    /// <summary>Waits for the next part. The one before it counts as read by the client from now on.</summary>
    /// <returns>The part, which the caller disposes of; null after the last.</returns>
    /// <exception cref="Errors.ServeException">The answer breaks off: the handler failed, its worker died, the deadline passed (504), or the client has left (499).</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<InferenceResponse?> NextAsync()
    {
        Written();
        _untold += _writing;
        _writing = 0;
        if (_untold >= PartWindow.TellFromBytes)
        {
            _scheduler.Take(_request, this, _untold);
            _untold = 0;
        }

        InferenceResponse? part;
        try
        {
            if (!await _arrived.Reader.WaitToReadAsync().ConfigureAwait(false) || !_arrived.Reader.TryRead(out part))
            {
                CountEnd(null);
                return null;
            }
        }
        catch (Exception e)
        {
            CountEnd(e);
            throw;
        }

        if (_statistics is not null) _made = _statistics.Now;
        _writing = PartWindow.CostOf(part.Body.Length);
        Bytes += part.Body.Length;
        return part;
    }

    /// <summary>Waits until a part is written, unless the answer breaks off first: a client that takes nothing must not hold it.</summary>
    /// <param name="write">The write, which may go on; the caller ends the connection or the call when this throws.</param>
    /// <exception cref="Errors.ServeException">As <see cref="NextAsync"/>.</exception>
    public ValueTask UntilWrittenAsync(Task write) => write.IsCompletedSuccessfully ? ValueTask.CompletedTask : WaitAsync(write);

    private async ValueTask WaitAsync(Task write)
    {
        try
        {
            if (await Task.WhenAny(write, _brokenOff.Task).ConfigureAwait(false) != write) throw await _brokenOff.Task.ConfigureAwait(false);
            await write.ConfigureAwait(false);
        }
        catch (Exception e)
        {
            CountEnd(e);
            throw;
        }
    }

    private void Written()
    {
        if (_statistics is null) return;
        var now = _statistics.Now;
        _statistics.Succeeded(_index++, _from, _made, now);
        _from = now;
    }

    // Once: what comes after it is of the same end. Whatever else than the answer's own failures ends it is the client's leaving.
    private void CountEnd(Exception? error)
    {
        if (_statistics is null || _isCounted) return;
        _isCounted = true;
        if (error is null) _statistics.Ended(_index, _from, _statistics.Now);
        else if (error is Errors.ServeException and not Errors.ClientGoneException) _statistics.Failed(_index, _from, _statistics.Now);
        else _statistics.Cancelled(_index, _from, _statistics.Now);
    }

    /// <summary>A part has arrived; in the order of arrival, and before the end.</summary>
    internal void Add(InferenceResponse part)
    {
        if (!_arrived.Writer.TryWrite(part)) part.Dispose();
    }

    /// <summary>Nothing more comes.</summary>
    /// <param name="error">Why the answer breaks off; null: it is complete.</param>
    /// <returns>False: it had ended before.</returns>
    internal bool TryEnd(Exception? error)
    {
        if (Interlocked.Exchange(ref _isEnded, 1) != 0) return false;
        _arrived.Writer.TryComplete(error);
        if (error is not null) _brokenOff.TrySetResult(error);
        return true;
    }

    /// <summary>The transport takes no more.</summary>
    internal void Dispose()
    {
        CountEnd(Abandoned);
        if (!IsEnded) _scheduler.Abandon(_request);
        while (_arrived.Reader.TryRead(out var part)) part.Dispose();
    }
}
