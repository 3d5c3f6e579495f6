using Serve.Core.Configuration;
using Serve.Core.Configuration.Tokens;
using Serve.Core.Security;

namespace Serve.Core.Workers;

/// <summary>What all workers of a server have in common.</summary>
public sealed record WorkerSettings
{
    /// <summary>The worker's executable.</summary>
    public required string Executable { get; init; }

    /// <summary>A private folder for sockets, mode 0700.</summary>
    public required string RuntimeFolder { get; init; }

    /// <summary>How often a worker shows that it lives.</summary>
    public required TimeSpan HeartbeatInterval { get; init; }

    /// <summary>A worker silent for this long is killed.</summary>
    public required TimeSpan HeartbeatTimeout { get; init; }

    /// <summary>How long a draining worker may take.</summary>
    public required TimeSpan DrainTimeout { get; init; }

    /// <summary>Whether answers are completed on the reading threads.</summary>
    public required bool CompleteInline { get; init; }

    /// <summary>Memory of each version for bodies that its workers read where they lie, in bytes; 0: none.</summary>
    public required int BodyMemory { get; init; }

    /// <summary>What workers may keep between starts.</summary>
    public required Protocol.CacheMessage Cache { get; init; }

    /// <summary>Environment variables with tokens and keys: not for workers, which run the code of models.</summary>
    public required IReadOnlyList<string> SecretVariables { get; init; }

    /// <summary>From the server's configuration; makes the folder if it is not there.</summary>
    /// <param name="configuration">The server's settings.</param>
    /// <exception cref="Errors.InternalServerException">The worker's executable is not there.</exception>
    /// <exception cref="IOException">The folder cannot be made, or is not this user's alone.</exception>
    public static WorkerSettings From(ServerConfiguration configuration)
    {
        var folder = configuration.RuntimeFolder is { } configured ? PrivateFolder.Open(configured) : Directory.CreateTempSubdirectory("serve-").FullName;
        var executable = configuration.WorkerExecutable
            ?? Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "serve-worker.exe" : "serve-worker");
        if (!File.Exists(executable))
        {
            throw new Errors.InternalServerException($"The worker's executable {executable} is not there (workerExecutable).");
        }

        return new WorkerSettings
        {
            Executable = executable,
            RuntimeFolder = folder,
            HeartbeatInterval = configuration.HeartbeatInterval,
            HeartbeatTimeout = configuration.HeartbeatTimeout,
            DrainTimeout = configuration.DrainTimeout,
            BodyMemory = (int)configuration.BodyMemory,
            Cache = Protocol.CacheMessage.From(configuration),
            CompleteInline = configuration.FastPath == "inline",
            SecretVariables =
            [
                EnvironmentNames.ClientToken,
                .. configuration.InferenceTokens.Concat(configuration.ManagementTokens)
                    .Select(text => TokenSource.Parse(text, out _)).OfType<TokenSource>()
                    .Where(source => source.Kind == TokenSourceKind.Variable).Select(source => source.Value),
                .. configuration.Tracing.Headers.Select(header => TracingSettings.SourceOf(header, out _, out _)).OfType<TokenSource>()
                    .Where(source => source.Kind == TokenSourceKind.Variable).Select(source => source.Value),
                .. TracingSettings.HeaderVariables,
            ],
        };
    }

    /// <summary>Makes the folder again if somebody has tidied it away, as cleaners of temporary folders do.</summary>
    internal void EnsureRuntimeFolder() => PrivateFolder.Open(RuntimeFolder);
}
