using Serve.Core.Models;

namespace Serve.Core.Caching;

/// <summary>A request that runs once for all who ask for the same at that time. The cache's lock guards who takes part.</summary>
/// <param name="key">The request's key.</param>
/// <param name="lane">How urgent it is.</param>
/// <param name="deadline">When the one who asked first needs it, as a timestamp.</param>
internal sealed class Flight(CacheKey key, int lane, long deadline) : IDisposable
{
    private readonly TaskCompletionSource<FlightEnd> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _abandoned = new();

    /// <summary>The request's key.</summary>
    public CacheKey Key => key;

    /// <summary>How urgent it is.</summary>
    public int Lane => lane;

    /// <summary>When the one who asked first needs it.</summary>
    public long Deadline => deadline;

    /// <summary>Who waits for it, the first one included.</summary>
    public int Participants { get; set; } = 1;

    /// <summary>Whether the one who asked first waits no more: then an answer in parts is nobody's.</summary>
    public bool IsOrphaned { get; set; }

    /// <summary>Whether it is over.</summary>
    public bool HasLanded { get; set; }

    /// <summary>What it came to.</summary>
    public Task<FlightEnd> End => _end.Task;

    /// <summary>Cancelled when nobody waits any more.</summary>
    public CancellationToken Abandoned => _abandoned.Token;

    /// <summary>Tells all who wait.</summary>
    public void Land(FlightEnd end) => _end.TrySetResult(end);

    /// <summary>Nobody waits any more.</summary>
    public void Abandon() => _abandoned.Cancel();

    /// <inheritdoc/>
    public void Dispose() => _abandoned.Dispose();
}

/// <summary>What a flight came to: one of the three.</summary>
/// <param name="Answer">An answer for everybody.</param>
/// <param name="Streamed">An answer in parts, for the one who asked first.</param>
/// <param name="Error">Why there is none.</param>
internal readonly record struct FlightEnd(CachedAnswer? Answer, InferenceResponse? Streamed, Exception? Error);
