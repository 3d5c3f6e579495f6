using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;
using Serve.Core.Configuration;
using Serve.Core.Observability;
using Serve.Core.Security;

namespace Serve.Frontend.Hosting.Tls;

/// <summary>
/// How one listener speaks TLS 1.2 and 1.3: its certificate and key from PEM files, and whose client certificates it takes. New
/// connections get what the files say now; those that are open go on.
/// </summary>
internal sealed partial class ServerTls
{
    private readonly TlsFiles _files;
    private readonly SslApplicationProtocol _protocol;
    private readonly string _listener;
    private readonly ILogger _log;

    // Replaced whole when a file has changed.
    private volatile SslServerAuthenticationOptions? _options;

    private ServerTls(TlsFiles files, SslApplicationProtocol protocol, string listener, ILogger log) => (_files, _protocol, _listener, _log) = (files, protocol, listener, log);

    /// <summary>What Kestrel asks for each connection.</summary>
    public TlsHandshakeCallbackOptions Callback => new() { OnConnection = _ => ValueTask.FromResult(_options!) };

    /// <summary>Reads the files, now and whenever they change.</summary>
    /// <param name="files">Which.</param>
    /// <param name="protocol">What is spoken inside.</param>
    /// <param name="listener">The listener's name, for the metric.</param>
    /// <param name="watched">Watches them.</param>
    /// <param name="log">Where an expired certificate is told.</param>
    /// <exception cref="ConfigurationException">They are not there, or not what they should be.</exception>
    public static ServerTls Load(TlsFiles files, SslApplicationProtocol protocol, string listener, WatchedFiles watched, ILogger log)
    {
        var tls = new ServerTls(files, protocol, listener, log);
        try
        {
            watched.Add(files.Paths, tls.Apply);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException([new ConfigurationProblem(new ConfigurationOrigin(files.Key), "", e is FileNotFoundException missing ? $"{missing.FileName}: there is no such file" : e.Message)]);
        }

        return tls;
    }

    private void Apply(IReadOnlyList<byte[]> contents)
    {
        var chain = PemFiles.Certificates(contents[0], _files.Certificate);
        var leaf = PemFiles.WithKey(contents[0], contents[1], _files);
        var clients = _files.ClientCa is { } path ? PemFiles.Certificates(contents[2], path) : null;
        _options = Options(leaf, [.. chain.Skip(1)], clients);

        var expires = new DateTimeOffset(leaf.NotAfter);
        ServeMetrics.CertificateExpires(_listener, expires);
        if (expires < DateTimeOffset.UtcNow) LogExpired(_files.Certificate, expires);
    }

    private SslServerAuthenticationOptions Options(X509Certificate2 leaf, X509Certificate2Collection intermediates, X509Certificate2Collection? clients)
    {
        var options = new SslServerAuthenticationOptions
        {
            // Offline: nothing is fetched from where a certificate says that its issuer is.
            ServerCertificateContext = SslStreamCertificateContext.Create(leaf, intermediates, offline: true),
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            ApplicationProtocols = [_protocol],
            AllowRenegotiation = false,
        };
        if (clients is null) return options;

        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
            ApplicationPolicy = { new Oid("1.3.6.1.5.5.7.3.2") }, // for clients
        };
        policy.CustomTrustStore.AddRange(clients);
        options.ClientCertificateRequired = true;
        options.CertificateChainPolicy = policy;
        var isRequired = _files.ClientCertificateIsRequired;
        options.RemoteCertificateValidationCallback = (_, certificate, _, errors) => certificate is null ? !isRequired : errors == SslPolicyErrors.None;
        return options;
    }

    [LoggerMessage(70, LogLevel.Warning, "{File}: the certificate has expired on {Expires:u}; clients will refuse it")]
    private partial void LogExpired(string file, DateTimeOffset expires);
}
