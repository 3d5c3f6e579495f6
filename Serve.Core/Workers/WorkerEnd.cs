namespace Serve.Core.Workers;

/// <summary>How a worker ended.</summary>
/// <param name="Reason">For people.</param>
/// <param name="WasAsked">It was told to leave.</param>
/// <param name="DidItsWork">It had served, or a suspected request explains its death: no failure of the model.</param>
/// <param name="IsPermanent">Another try is no use.</param>
/// <param name="WasKilled">Somebody else killed it with signal 9: an operator, or the kernel for want of memory.</param>
internal sealed record WorkerEnd(string Reason, bool WasAsked, bool DidItsWork, bool IsPermanent = false, bool WasKilled = false);

/// <summary>A worker did not come up.</summary>
/// <param name="message">Why.</param>
internal sealed class WorkerStartException(string message) : Exception(message);
