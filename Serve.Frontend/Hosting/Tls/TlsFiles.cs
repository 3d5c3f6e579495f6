using Serve.Core.Configuration;

namespace Serve.Frontend.Hosting.Tls;

/// <summary>The files that one listener's TLS is made of.</summary>
/// <param name="Key">The configuration's key of the certificate, for messages.</param>
/// <param name="Certificate">PEM: the certificate, and after it those of its issuers but the last.</param>
/// <param name="PrivateKey">PEM: its key, not encrypted.</param>
/// <param name="ClientCa">PEM: whose client certificates are taken; null: none is asked for.</param>
/// <param name="ClientCertificateIsRequired">Whether a client without one is refused.</param>
internal sealed record TlsFiles(string Key, string Certificate, string PrivateKey, string? ClientCa, bool ClientCertificateIsRequired)
{
    /// <summary>All of them.</summary>
    public IReadOnlyList<string> Paths => ClientCa is null ? [Certificate, PrivateKey] : [Certificate, PrivateKey, ClientCa];

    /// <summary>Those of a listener whose address begins with <c>https://</c>.</summary>
    /// <param name="configuration">The server's settings.</param>
    /// <param name="key">The key of the listener's address.</param>
    public static TlsFiles Of(ServerConfiguration configuration, string key)
    {
        var certificate = TlsSettings.CertificateOf(configuration, key) ?? throw new InvalidOperationException($"{key} has no certificate.");
        return new(certificate.Key, certificate.Certificate, certificate.PrivateKey, TlsSettings.ClientCaOf(configuration, key), configuration.ClientCertificates == TlsSettings.Required);
    }
}
