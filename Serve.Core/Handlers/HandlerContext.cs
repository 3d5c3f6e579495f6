using Microsoft.Extensions.Logging;
using Serve.Core.Configuration;
using Serve.Core.Handlers.Metrics;

namespace Serve.Core.Handlers;

/// <summary>What a handler knows of the model that it serves.</summary>
public sealed class HandlerContext
{
    /// <summary>The model's name.</summary>
    public required string ModelName { get; init; }

    /// <summary>The version served.</summary>
    public required string ModelVersion { get; init; }

    /// <summary>The folder with the model's files; read only.</summary>
    public required string ModelFolder { get; init; }

    /// <summary>The version's configuration.</summary>
    public required ModelConfiguration Configuration { get; init; }

    /// <summary>The model's inputs and outputs; null for an <see cref="IBatchHandler"/>.</summary>
    public ModelSignature? Signature { get; init; }

    /// <summary>Labels by class index; empty if the folder has none.</summary>
    public IReadOnlyList<string> Labels { get; init; } = [];

    /// <summary>Where the handler declares metrics of its own.</summary>
    public HandlerMetrics Metrics { get; init; } = new();

    /// <summary>The worker's log, relayed by the frontend.</summary>
    public required ILogger Logger { get; init; }
}
