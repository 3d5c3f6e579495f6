using Microsoft.Extensions.Logging;
using Serve.Core.Configuration;
using Serve.Core.Security;

namespace Serve.Management.Authorization;

/// <summary>Who may call the server, as its configuration says.</summary>
public sealed class AccessControl : IDisposable
{
    private readonly WatchedFiles _files;

    /// <summary>Reads the tokens.</summary>
    /// <exception cref="ConfigurationException">Some cannot be read.</exception>
    public AccessControl(ServerConfiguration configuration, TimeProvider time, ILoggerFactory loggers)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        _files = new WatchedFiles(time, loggers.CreateLogger("Serve.Tokens"));
        try
        {
            var (inference, management) = (new TokenSet(time), new TokenSet(time));
            inference.Load("inferenceTokens", configuration.InferenceTokens, _files, Environment.GetEnvironmentVariable);
            management.Load("managementTokens", configuration.ManagementTokens, _files, Environment.GetEnvironmentVariable);

            // Who may register models, which run code, may as well use them.
            if (configuration.InferenceTokens.Count > 0) Inference = new TokenGuard(inference, management);
            if (configuration.ManagementTokens.Count > 0) Management = new TokenGuard(management);
        }
        catch
        {
            _files.Dispose();
            throw;
        }
    }

    /// <summary>Guards inference, over REST and gRPC; null: everybody may.</summary>
    public TokenGuard? Inference { get; }

    /// <summary>Guards management.</summary>
    public TokenGuard? Management { get; }

    /// <inheritdoc/>
    public void Dispose() => _files.Dispose();
}
