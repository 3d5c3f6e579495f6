namespace Serve.Worker.Pipeline;

/// <summary>Where a request of this worker is.</summary>
internal enum RequestPhase
{
    /// <summary>Free, or answered.</summary>
    None,

    /// <summary>Waits for a decode thread, or is with one.</summary>
    Decoding,

    /// <summary>Waits for the device.</summary>
    Ready,

    /// <summary>In a batch that executes or is being answered.</summary>
    Begun,
}
