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
/// How listeners speak TLS 1.2 and 1.3: certificate and key from PEM files, and whose client certificates they take. New
/// connections get what the files say now; those that are open go on.
/// </summary>
internal sealed partial class ServerTls
{
    private readonly TlsFiles _files;
    private readonly ILogger _log;
    private readonly Lock _gate = new();
    private readonly List<string> _listeners = [];
    private DateTimeOffset _expires;

    // Replaced whole when a file has changed.
    private volatile State? _state;

    private ServerTls(TlsFiles files, ILogger log) => (_files, _log) = (files, log);

    /// <summary>Reads the files, now and whenever they change.</summary>
    /// <param name="files">Which.</param>
    /// <param name="watched">Watches them.</param>
    /// <param name="log">Where an expired certificate is told.</param>
    /// <exception cref="ConfigurationException">They are not there, or not what they should be.</exception>
    public static ServerTls Load(TlsFiles files, WatchedFiles watched, ILogger log)
    {
        var tls = new ServerTls(files, log);
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

    /// <summary>What Kestrel asks for each connection of a listener.</summary>
    /// <param name="listener">The listener's name, for the metric.</param>
    /// <param name="isHttp2">What is spoken inside.</param>
    public TlsHandshakeCallbackOptions For(string listener, bool isHttp2)
    {
        lock (_gate)
        {
            _listeners.Add(listener);
            ServeMetrics.CertificateExpires(listener, _expires);
        }

        return new() { OnConnection = _ => ValueTask.FromResult(isHttp2 ? _state!.Http2 : _state!.Http1) };
    }

    private void Apply(IReadOnlyList<byte[]> contents)
    {
        var chain = PemFiles.Certificates(contents[0], _files.Certificate);
        var leaf = PemFiles.WithKey(contents[0], contents[1], _files);
        var clients = _files.ClientCa is { } path ? PemFiles.Certificates(contents[2], path) : null;

        // Offline: nothing is fetched from where a certificate says that its issuer is.
        var context = SslStreamCertificateContext.Create(leaf, [.. chain.Skip(1)], offline: true);
        _state = new State(Options(context, SslApplicationProtocol.Http11, clients), Options(context, SslApplicationProtocol.Http2, clients));
        lock (_gate)
        {
            _expires = new DateTimeOffset(leaf.NotAfter);
            foreach (var listener in _listeners) ServeMetrics.CertificateExpires(listener, _expires);
        }

        if (_expires < DateTimeOffset.UtcNow) LogExpired(_files.Certificate, _expires);
    }

    private SslServerAuthenticationOptions Options(SslStreamCertificateContext context, SslApplicationProtocol protocol, X509Certificate2Collection? clients)
    {
        var options = new SslServerAuthenticationOptions
        {
            ServerCertificateContext = context,
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            ApplicationProtocols = [protocol],
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

    private sealed record State(SslServerAuthenticationOptions Http1, SslServerAuthenticationOptions Http2);
}
