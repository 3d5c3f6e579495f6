namespace Serve.Core.Observability;

/// <summary>What a version has done since it was registered, or took another's place, as the Open Inference Protocol's statistics have it.</summary>
public sealed record InferenceStatistics
{
    /// <summary>When a batch was last executed; null: never.</summary>
    public DateTimeOffset? LastInference { get; init; }

    /// <summary>Rows that were executed, without those of warm-up.</summary>
    public required long Rows { get; init; }

    /// <summary>Batches that were executed.</summary>
    public required long Executions { get; init; }

    /// <summary>Requests that were answered with a status below 400, from their arrival until their answer was written.</summary>
    public required Tally Success { get; init; }

    /// <summary>Requests that were answered with another one, or whose client left.</summary>
    public required Tally Fail { get; init; }

    /// <summary>Waiting: for a worker, for decoding, for the batch.</summary>
    public required Tally Queue { get; init; }

    /// <summary>Getting inputs to the model: to the worker and back, decoding.</summary>
    public required Tally ComputeInput { get; init; }

    /// <summary>Executing.</summary>
    public required Tally ComputeInfer { get; init; }

    /// <summary>Making the answer of the outputs.</summary>
    public required Tally ComputeOutput { get; init; }

    /// <summary>Requests that the response cache answered, and how long that took.</summary>
    public Tally CacheHit { get; init; }

    /// <summary>Requests whose answer it did not have, and how long looking took.</summary>
    public Tally CacheMiss { get; init; }

    /// <summary>The sizes of batches that were executed, the smallest first.</summary>
    public required IReadOnlyList<BatchStatistics> Batches { get; init; }

    /// <summary>Of a decoupled model: what became of its responses, by their place in their answers.</summary>
    public IReadOnlyList<ResponseTallies> Responses { get; init; } = [];

    /// <summary>What of the requests came after another reading; batches are this version's own anyway.</summary>
    /// <param name="earlier">The other reading; null: none.</param>
    public InferenceStatistics Since(InferenceStatistics? earlier) => earlier is null ? this : this with
    {
        Success = Success - earlier.Success,
        Fail = Fail - earlier.Fail,
        Queue = Queue - earlier.Queue,
        ComputeInput = ComputeInput - earlier.ComputeInput,
        ComputeInfer = ComputeInfer - earlier.ComputeInfer,
        ComputeOutput = ComputeOutput - earlier.ComputeOutput,
    };
}

/// <summary>How often something happened, and how long it took altogether.</summary>
/// <param name="Count">How often.</param>
/// <param name="Time">How long.</param>
public readonly record struct Tally(long Count, TimeSpan Time)
{
    /// <summary>What happened between two readings; never less than nothing, for what is counted by several numbers may be read between two of them.</summary>
    /// <param name="later">The later one.</param>
    /// <param name="earlier">The earlier one.</param>
    public static Tally operator -(in Tally later, in Tally earlier) =>
        new(Math.Max(0, later.Count - earlier.Count), later.Time > earlier.Time ? later.Time - earlier.Time : TimeSpan.Zero);
}

/// <summary>Batches of one size.</summary>
/// <param name="Rows">Their rows.</param>
/// <param name="Input">How many they were, and how long the row of each that was answered first was decoded.</param>
/// <param name="Execute">How long they executed.</param>
/// <param name="Output">How long that row was encoded.</param>
public readonly record struct BatchStatistics(int Rows, Tally Input, Tally Execute, Tally Output);
