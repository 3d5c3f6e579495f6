namespace Serve.Core.Scheduling;

/// <summary>Rows that the frontend sent as one batch: they become ready together.</summary>
internal sealed class DelayedBatch
{
    /// <summary>Decoded rows.</summary>
    public List<FormerRow> Held { get; } = [];

    /// <summary>Rows that are not decoded yet.</summary>
    public int Undecoded { get; set; }

    /// <summary>No successor is awaited.</summary>
    public bool IsComplete { get; set; }

    public long LastArrival { get; set; }
}
