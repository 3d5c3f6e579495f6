namespace Serve.Core.Configuration;

/// <summary>What the metrics listener serves: the section <c>metrics</c> of the server's configuration.</summary>
public sealed record MetricsConfiguration
{
    /// <summary>Whether TorchServe's metrics are served beside Serve's own, by TorchServe's names. Default true.</summary>
    public bool TorchserveNames { get; init; } = true;
}
