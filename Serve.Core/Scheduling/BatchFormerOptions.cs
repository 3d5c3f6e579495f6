namespace Serve.Core.Scheduling;

/// <summary>How a worker's rows become batches.</summary>
public sealed record BatchFormerOptions
{
    /// <summary>A row that has been ready for this long goes into the next batch, whatever its lane, deadline and shape.</summary>
    public TimeSpan StarvationLimit { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How long rows of a delayed batch are held for a successor that was announced. It follows within microseconds, large
    /// bodies on a busy machine more slowly; the limit keeps a lost one from stopping the worker.
    /// </summary>
    public TimeSpan SuccessorLimit { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long an answer takes from the end of its batch to its client: a batch ends so much before its oldest deadline.</summary>
    public TimeSpan AnswerTime { get; init; } = TimeSpan.FromMilliseconds(0.5);
}
