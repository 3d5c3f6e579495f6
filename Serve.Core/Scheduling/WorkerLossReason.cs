namespace Serve.Core.Scheduling;

/// <summary>Why a worker is gone; decides what becomes of the requests that it had.</summary>
public enum WorkerLossReason
{
    /// <summary>
    /// Its process ended, its socket closed, it broke the protocol, or its heartbeat stopped. Whether an operator or a
    /// request killed it cannot be told, so the requests that it ran are suspected and tried again apart from others.
    /// </summary>
    Crashed,

    /// <summary>It held a batch for longer than <c>responseTimeout</c> and was killed: that batch's requests fail, all others run elsewhere.</summary>
    TimedOut,

    /// <summary>It was stopped on purpose. What it had runs elsewhere, and nobody is suspected.</summary>
    Stopped,
}
