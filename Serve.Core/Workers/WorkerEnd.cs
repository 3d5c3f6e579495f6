namespace Serve.Core.Workers;

/// <summary>How a worker ended.</summary>
/// <param name="Reason">For people.</param>
/// <param name="WasAsked">It was told to leave.</param>
/// <param name="DidItsWork">It had served, or a suspected request explains its death: no failure of the model.</param>
/// <param name="IsPermanent">Another try is no use.</param>
/// <param name="WasKilled">Somebody else killed it with signal 9: an operator, or the kernel for want of memory.</param>
/// <param name="LacksMemory">It could not load the model for want of memory.</param>
internal sealed record WorkerEnd(string Reason, bool WasAsked, bool DidItsWork, bool IsPermanent = false, bool WasKilled = false, bool LacksMemory = false)
{
    /// <summary>What it means for whoever waits for the worker.</summary>
    public WorkerFailure ToFailure() => new(Reason, LacksMemory);
}

/// <summary>Why there is no worker.</summary>
/// <param name="Reason">For people.</param>
/// <param name="LacksMemory">Whether the memory of the device or the host does not suffice for the model.</param>
internal sealed record WorkerFailure(string Reason, bool LacksMemory = false);

/// <summary>A worker did not come up.</summary>
/// <param name="message">Why.</param>
internal sealed class WorkerStartException(string message) : Exception(message);
