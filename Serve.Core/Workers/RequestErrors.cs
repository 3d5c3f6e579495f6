using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Scheduling;

namespace Serve.Core.Workers;

/// <summary>Why requests of one model version are refused or fail, for people: each names the limit that was met.</summary>
/// <param name="title">The version as messages name it, for example <c>model "m", version 1.0</c>.</param>
/// <param name="configuration">The version's configuration.</param>
internal sealed class RequestErrors(string title, ModelConfiguration configuration)
{
    /// <summary>As many wait as may.</summary>
    /// <param name="queued">How many.</param>
    public ServiceUnavailableException QueueFull(int queued) =>
        new($"The queue of {title} is full: {queued} requests wait (maxQueueSize). Try again later, or scale its workers.", TimeSpan.FromSeconds(1));

    /// <summary>The answer would come after the request's time.</summary>
    /// <param name="predicted">When it would come.</param>
    /// <param name="timeout">The request's time.</param>
    public ServiceUnavailableException TooLate(TimeSpan predicted, TimeSpan timeout) =>
        new($"The answer of {title} would take {predicted.TotalMilliseconds:0} ms now, longer than {Name(timeout)}. Try again later, or scale its workers.", predicted - timeout);

    /// <summary>The request's time is over.</summary>
    /// <param name="timeout">That time.</param>
    public ResponseTimeoutException Expired(TimeSpan timeout) => new($"No answer of {title} within {Name(timeout)}.");

    /// <summary>The request went down with its worker.</summary>
    /// <param name="request">The request; it is not run again.</param>
    /// <param name="reason">Why the worker went.</param>
    /// <param name="how">The same, for people.</param>
    public ServeException Lost(ScheduledRequest request, WorkerLossReason reason, string how) => reason == WorkerLossReason.TimedOut
        ? new ResponseTimeoutException($"No answer within {ResponseTimeout}; the worker was replaced.")
        : new WorkerDiedException(request.AnswerStarted
            ? $"Worker died. {how}, in the middle of the answer."
            : $"Worker died. This request, run alone, ended {request.SoloDeaths} workers of {title}; the last: {how}. It is not tried again.");

    /// <summary>The worker sends an answer in parts faster than the client takes them, against the agreed window.</summary>
    public InternalServerException TooManyParts() => new($"The worker of {title} sent more parts than the client had room for.");

    private string ResponseTimeout => $"{configuration.ResponseTimeout.TotalSeconds:0.###} s (responseTimeout)";

    // A request's time, and whose it is.
    private string Name(TimeSpan timeout)
    {
        if (timeout >= configuration.ResponseTimeout - TimeSpan.FromMilliseconds(1)) return ResponseTimeout;
        var isTarget = configuration.LatencyTarget is { } target && (timeout - target).Duration() < TimeSpan.FromMilliseconds(1);
        return $"{timeout.TotalMilliseconds:0} ms, {(isTarget ? "the model's latencyTarget" : "the request's deadline")}";
    }
}
