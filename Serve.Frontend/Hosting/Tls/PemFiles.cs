using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Serve.Core.Configuration;

namespace Serve.Frontend.Hosting.Tls;

/// <summary>Certificates and keys out of PEM files.</summary>
internal static class PemFiles
{
    /// <summary>All certificates of a file, the first of them the file's own.</summary>
    /// <exception cref="ConfigurationException">There is none.</exception>
    public static X509Certificate2Collection Certificates(byte[] content, string path)
    {
        var certificates = new X509Certificate2Collection();
        try
        {
            certificates.ImportFromPem(Encoding.ASCII.GetString(content));
        }
        catch (CryptographicException e)
        {
            throw Problem(path, $"a certificate in it is damaged: {e.Message.TrimEnd('.')}");
        }

        return certificates.Count > 0 ? certificates : throw Problem(path, "there is no certificate in it; it must be PEM, with -----BEGIN CERTIFICATE-----");
    }

    /// <summary>The first certificate of a file with its key.</summary>
    /// <exception cref="ConfigurationException">They are not what they should be, or do not belong together.</exception>
    public static X509Certificate2 WithKey(byte[] certificate, byte[] privateKey, TlsFiles files)
    {
        var key = Encoding.ASCII.GetString(privateKey);
        if (key.Contains("-----BEGIN ENCRYPTED PRIVATE KEY-----", StringComparison.Ordinal) || key.Contains("Proc-Type: 4,ENCRYPTED", StringComparison.Ordinal))
        {
            throw Problem(files.PrivateKey, "the key is encrypted; decrypt it (openssl pkey -in KEY -out PLAIN), and let only the server read it");
        }

        if (!key.Contains("PRIVATE KEY-----", StringComparison.Ordinal)) throw Problem(files.PrivateKey, "there is no private key in it; it must be PEM, with -----BEGIN PRIVATE KEY-----");
        try
        {
            var pair = X509Certificate2.CreateFromPem(Encoding.ASCII.GetString(certificate), key);
            if (!OperatingSystem.IsWindows()) return pair;

            // Windows' TLS takes no key that is in memory only.
            using (pair) return X509CertificateLoader.LoadPkcs12(pair.Export(X509ContentType.Pkcs12), null);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw Problem(files.PrivateKey, $"it is not the key of the certificate in {files.Certificate}, or damaged: {e.Message.TrimEnd('.')}");
        }
    }

    private static ConfigurationException Problem(string path, string message) => new([new ConfigurationProblem(new ConfigurationOrigin(path), "", message)]);
}
