namespace Serve.Core.Models;

/// <summary>What <c>POST /models</c> asks for; null leaves a setting to the model's own configuration.</summary>
public sealed record RegistrationRequest
{
    /// <summary>A name, folder or archive in the model store; or a <c>file</c>, <c>http</c> or <c>https</c> URL that <c>allowedUrls</c> permits.</summary>
    public required string Url { get; init; }

    /// <summary>What the file's SHA-256 must be, 64 hexadecimal digits; null: anything.</summary>
    public string? Sha256 { get; init; }

    /// <summary>The name to register under; null: the manifest's or the folder's.</summary>
    public string? ModelName { get; init; }

    /// <summary>Replaces the configured handler.</summary>
    public string? Handler { get; init; }

    /// <summary>Replaces <c>batchSize</c>.</summary>
    public int? BatchSize { get; init; }

    /// <summary>Replaces <c>maxBatchDelay</c>.</summary>
    public TimeSpan? MaxBatchDelay { get; init; }

    /// <summary>Workers to start; null: the model's <c>minWorkers</c> if its configuration says one, else 0.</summary>
    public int? InitialWorkers { get; init; }

    /// <summary>Replaces <c>responseTimeout</c>.</summary>
    public TimeSpan? ResponseTimeout { get; init; }

    /// <summary>Replaces <c>startupTimeout</c>.</summary>
    public TimeSpan? StartupTimeout { get; init; }

    /// <summary>Further keys of <c>model-config.yaml</c> to replace, as text; null: none.</summary>
    public IReadOnlyDictionary<string, string>? Overrides { get; init; }

    /// <summary>Wait until the workers are ready; if they fail, the version is unregistered again.</summary>
    public bool Synchronous { get; init; } = true;
}
