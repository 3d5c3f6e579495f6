namespace Serve.Core.Observability;

/// <summary>Where a request's time goes, in its order.</summary>
public enum RequestStage
{
    /// <summary>The body arrives. Told by the transport.</summary>
    Read,

    /// <summary>It waits for a worker with credit.</summary>
    Queue,

    /// <summary>On the way to the worker and back.</summary>
    Transfer,

    /// <summary>At the worker, until decoding began.</summary>
    DecodeWait,

    /// <summary>Decoding and preprocessing.</summary>
    Decode,

    /// <summary>Its row is ready, until its batch began.</summary>
    Assemble,

    /// <summary>The batch executes.</summary>
    Execute,

    /// <summary>Postprocessing.</summary>
    Encode,

    /// <summary>The answer is written. Told by the transport.</summary>
    Write,
}

/// <summary>Why a request was refused on arrival.</summary>
public enum RejectReason
{
    /// <summary>The queue has <c>maxQueueSize</c> requests.</summary>
    QueueFull,

    /// <summary>The version has no workers and none is starting.</summary>
    NoWorker,

    /// <summary>Its workers failed too often.</summary>
    Failed,

    /// <summary>The version is being unregistered, or the server stops.</summary>
    Draining,

    /// <summary>The request's deadline cannot be met.</summary>
    Deadline,
}

/// <summary>Where a request was when its deadline passed.</summary>
public enum ExpiredPlace
{
    /// <summary>It waited for a worker with credit.</summary>
    Queue,

    /// <summary>A worker had it and had not begun it: it costs no device time.</summary>
    Worker,

    /// <summary>Its batch was executing.</summary>
    Running,
}

/// <summary>How a worker was lost.</summary>
public enum WorkerDeath
{
    /// <summary>Its process ended by itself or was killed by something else.</summary>
    Exited,

    /// <summary>It broke the protocol, or its connection failed.</summary>
    Connection,

    /// <summary>It showed no sign of life for <c>heartbeatTimeout</c>, and was killed.</summary>
    Heartbeat,

    /// <summary>It held a batch past <c>responseTimeout</c>, and was killed.</summary>
    ResponseTimeout,

    /// <summary>It was not ready within <c>startupTimeout</c>, and was killed.</summary>
    StartupTimeout,

    /// <summary>It said that the model cannot be loaded.</summary>
    LoadFailed,
}
