using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Serve.Tests.EndToEnd;

/// <summary>An authority and certificates of its own, in PEM files.</summary>
internal sealed class TestCertificates : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ECDsa _caKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public TestCertificates(string name)
    {
        var request = new CertificateRequest($"CN={name}", _caKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        Ca = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
        CaFile = _folder.Write("ca.crt", Ca.ExportCertificatePem());
    }

    public X509Certificate2 Ca { get; }

    public string CaFile { get; }

    /// <summary>A path in the folder of these files.</summary>
    public string this[string name] => _folder[name];

    /// <summary>A certificate for servers on the loopback address.</summary>
    public X509Certificate2 ForServer(DateTimeOffset? expires = null) => Issue("CN=serve", "1.3.6.1.5.5.7.3.1", expires);

    /// <summary>A certificate for clients.</summary>
    public X509Certificate2 ForClient() => Issue("CN=client", "1.3.6.1.5.5.7.3.2", null);

    /// <summary>Writes a certificate and its key.</summary>
    public (string Certificate, string Key) Write(string name, X509Certificate2 certificate) =>
        (_folder.Write(name + ".crt", certificate.ExportCertificatePem()), _folder.Write(name + ".key", certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem()));

    public void Dispose()
    {
        Ca.Dispose();
        _caKey.Dispose();
        _folder.Dispose();
    }

    private X509Certificate2 Issue(string name, string purpose, DateTimeOffset? expires)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(purpose)], critical: false));
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, false, 0, critical: true));
        using var certificate = request.Create(Ca, DateTimeOffset.UtcNow.AddHours(-1), expires ?? DateTimeOffset.UtcNow.AddDays(7), RandomNumberGenerator.GetBytes(8));
        return certificate.CopyWithPrivateKey(key);
    }
}
