using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using Serve.Core.Configuration;
using Serve.Core.Observability;
using Serve.Core.Security;

namespace Serve.Management.Authorization;

/// <summary>Who may call the server, as its configuration says.</summary>
public sealed class AccessControl : IDisposable
{
    private readonly KeyFile? _keys;

    /// <summary>Reads the tokens.</summary>
    /// <exception cref="ConfigurationException">Some cannot be read.</exception>
    public AccessControl(ServerConfiguration configuration, TimeProvider time, ILoggerFactory loggers)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        Files = new WatchedFiles(time, loggers.CreateLogger("Serve.Secrets"));
        try
        {
            var (inference, management) = (Tokens("inference"), Tokens("management"));
            inference.Load("inferenceTokens", configuration.InferenceTokens, Files, Environment.GetEnvironmentVariable);
            management.Load("managementTokens", configuration.ManagementTokens, Files, Environment.GetEnvironmentVariable);

            if (configuration.KeyFile is { } path) _keys = MakeKeys(path, configuration.TokenExpiration, inference, management, time);

            // Who may register models, which run code, may as well use them.
            var isOptional = configuration.ClientCertificates == TlsSettings.Optional;
            var managing = configuration.ManagementTokens.Count > 0 || _keys is not null ? new TokenGuard(management) : null;
            if (configuration.InferenceTokens.Count > 0 || _keys is not null) Inference = new TokenGuard(inference, management) { TakesCertificates = isOptional && configuration.InferenceClientCaFile is not null, OfManagement = managing };
            else if (managing is not null) Inference = new TokenGuard { OfManagement = managing };
            if (configuration.ManagementTokens.Count == 0 && _keys is null) return;
            Management = new TokenGuard(management)
            {
                TakesCertificates = isOptional && configuration.ManagementClientCaFile is not null,
                OwnGuardPath = _keys is null ? null : RenewToken.Path,
                HasConsole = true,
                Remembers = true,
            };
        }
        catch
        {
            Files.Dispose();
            throw;
        }

        TokenSet Tokens(string api) => new(time) { ExpiryChanged = first => ServeMetrics.TokensExpire(api, first) };
    }

    /// <summary>Watches the files with tokens, certificates and keys.</summary>
    public WatchedFiles Files { get; }

    /// <summary>Guards inference, over REST and gRPC; null: everybody may.</summary>
    public TokenGuard? Inference { get; }

    /// <summary>Guards management.</summary>
    public TokenGuard? Management { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Files.Dispose();
        _keys?.Dispose();
    }

    /// <summary>Maps <c>/token</c>, where there is a key file.</summary>
    public void MapTokens(IEndpointRouteBuilder management)
    {
        if (_keys is not null) management.Map(RenewToken.Path, new RenewToken(_keys).HandleAsync).WithTags("Management").WithSummary("Replaces a token of the key file");
    }

    private static KeyFile MakeKeys(string path, TimeSpan lifetime, TokenSet inference, TokenSet management, TimeProvider time)
    {
        try
        {
            return new KeyFile(path, lifetime, inference, management, time);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException([new ConfigurationProblem(new ConfigurationOrigin("keyFile"), "", $"{path} cannot be written: {e.Message}")]);
        }
    }
}
