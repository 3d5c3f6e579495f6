namespace Serve.Core.Configuration;

/// <summary>Whether a model's answers are kept, and given again to requests with the same input: the section <c>responseCache</c> of <c>model-config.yaml</c>.</summary>
public sealed record ResponseCacheConfiguration
{
    /// <summary>Whether they are. Only for models that always answer the same input alike. Default false.</summary>
    public bool Enabled { get; init; }

    /// <summary>The most bytes that the answers of the version may take; what was not asked for longest goes first. Default 64 MiB.</summary>
    public long Size { get; init; } = 64L << 20;
}
