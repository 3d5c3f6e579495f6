namespace Serve.Core.Scheduling;

/// <summary>Requests of which one may have killed a worker. They run together, on a worker that has nothing else.</summary>
internal sealed class SuspectGroup
{
    /// <summary>Members that wait.</summary>
    public RequestList Waiting { get; } = new();

    /// <summary>Members that the isolating worker has.</summary>
    public int Running { get; set; }
}
