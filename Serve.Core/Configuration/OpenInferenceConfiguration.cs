namespace Serve.Core.Configuration;

/// <summary>What clients of the Open Inference Protocol may do, and whom they see: the section <c>openInference</c> of the server's configuration.</summary>
public sealed record OpenInferenceConfiguration
{
    /// <summary><see cref="ModelControl"/>: its clients may load and unload models.</summary>
    public const string Explicit = "explicit";

    /// <summary><see cref="ModelControl"/>: they may not.</summary>
    public const string None = "none";

    /// <summary>
    /// Whether models may be loaded and unloaded over the protocol: <see cref="Explicit"/> or <see cref="None"/>. Null, the
    /// default: explicit where the listener is on loopback or there are tokens for management, which it asks for then.
    /// </summary>
    public string? ModelControl { get; init; }

    /// <summary>
    /// Whether clients on the same machine may register regions of its shared memory, to leave tensors there and to find them
    /// there. Default false: who may use it can have the server read and write every region that its user may.
    /// </summary>
    public bool SharedMemory { get; init; }

    /// <summary>The name that the server gives itself; Triton's own example client insists on <c>triton</c>. Default <c>serve</c>.</summary>
    public string ServerName { get; init; } = "serve";
}
