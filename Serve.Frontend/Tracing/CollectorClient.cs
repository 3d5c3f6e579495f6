using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Serve.Core.Configuration;

namespace Serve.Frontend.Tracing;

/// <summary>The connection to the collector: whom it trusts, and who it says it is.</summary>
internal static class CollectorClient
{
    private const int MostAnswerBytes = 64 << 10;

    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(2);

    /// <summary>A client for the collector.</summary>
    /// <exception cref="ConfigurationException">A certificate cannot be used.</exception>
    public static HttpClient For(TracingOptions options)
    {
        // What is sent must not become part of a trace itself.
        // A collector that vanished without a word, or moved, is looked for again.
        var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, ActivityHeadersPropagator = null, PooledConnectionLifetime = Lifetime };
        if (options.CaFile is { } authorities)
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.AddRange(Authorities(authorities.Path, authorities.Setting));
            handler.SslOptions.CertificateChainPolicy = policy;
        }

        if (options.ClientCertificateFile is { } own)
        {
            var certificate = Read(own.Setting, () => X509Certificate2.CreateFromPemFile(own.Path, options.ClientKeyFile));
            handler.SslOptions.ClientCertificates = [certificate];
            handler.SslOptions.LocalCertificateSelectionCallback = (_, _, _, _, _) => certificate;
        }

        return new HttpClient(handler) { Timeout = options.Timeout, MaxResponseContentBufferSize = MostAnswerBytes };
    }

    private static X509Certificate2Collection Authorities(string file, string setting)
    {
        var authorities = Read(setting, () =>
        {
            var some = new X509Certificate2Collection();
            some.ImportFromPemFile(file);
            return some;
        });
        return authorities.Count > 0 ? authorities : throw TracingVariables.Wrong(setting, $"{file} has no certificate");
    }

    private static T Read<T>(string setting, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            throw TracingVariables.Wrong(setting, e.Message);
        }
    }
}
