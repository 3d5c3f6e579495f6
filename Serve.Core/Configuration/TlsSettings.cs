namespace Serve.Core.Configuration;

/// <summary>Which certificate each listener has, and whose client certificates it takes.</summary>
public static class TlsSettings
{
    /// <summary>A client without a certificate is refused.</summary>
    public const string Required = "required";

    /// <summary>A client with a certificate needs no token.</summary>
    public const string Optional = "optional";

    /// <summary>The certificate and key of a listener: its interface's own, else the common ones. Null: there are none.</summary>
    /// <param name="configuration">The server's settings.</param>
    /// <param name="key">The key of the listener's address.</param>
    public static (string Key, string Certificate, string PrivateKey)? CertificateOf(ServerConfiguration configuration, string key)
    {
        var (name, certificate, privateKey) = key switch
        {
            "managementAddress" or "grpcManagementAddress" when configuration.ManagementCertificateFile is not null => ("managementCertificateFile", configuration.ManagementCertificateFile, configuration.ManagementPrivateKeyFile),
            "metricsAddress" when configuration.MetricsCertificateFile is not null => ("metricsCertificateFile", configuration.MetricsCertificateFile, configuration.MetricsPrivateKeyFile),
            _ => ("certificateFile", configuration.CertificateFile, configuration.PrivateKeyFile),
        };
        return certificate is null || privateKey is null ? null : (name, certificate, privateKey);
    }

    /// <summary>The file with the authorities whose client certificates a listener takes; null: it asks for none.</summary>
    public static string? ClientCaOf(ServerConfiguration configuration, string key) => key switch
    {
        "managementAddress" or "grpcManagementAddress" => configuration.ManagementClientCaFile,
        "metricsAddress" => configuration.MetricsClientCaFile,
        _ => configuration.InferenceClientCaFile,
    };

    /// <summary>Whether a listener refuses clients without a certificate.</summary>
    public static bool RequiresClientCertificate(ServerConfiguration configuration, string key) =>
        configuration.ClientCertificates == Required && ClientCaOf(configuration, key) is not null;

    /// <summary>What must hold between the keys about TLS.</summary>
    internal static void Check(ServerConfiguration configuration, IReadOnlyList<(string Key, ListenAddress Address)> listeners, Func<string, ConfigurationOrigin> originOf, ProblemList problems)
    {
        (string CertificateKey, string? Certificate, string KeyKey, string? Key)[] pairs =
        [
            ("certificateFile", configuration.CertificateFile, "privateKeyFile", configuration.PrivateKeyFile),
            ("managementCertificateFile", configuration.ManagementCertificateFile, "managementPrivateKeyFile", configuration.ManagementPrivateKeyFile),
            ("metricsCertificateFile", configuration.MetricsCertificateFile, "metricsPrivateKeyFile", configuration.MetricsPrivateKeyFile),
        ];
        foreach (var (certificateKey, certificate, keyKey, key) in pairs)
        {
            if (certificate is null == key is null) continue;
            var (there, missing) = key is null ? (certificateKey, keyKey) : (keyKey, certificateKey);
            problems.Add(originOf(there), there, $"is given without {missing}; a certificate needs its key");
        }

        foreach (var (key, address) in listeners)
        {
            if (address.IsHttps && CertificateOf(configuration, key) is null)
            {
                problems.Add(originOf(key), key, $"{address} needs a certificate; give certificateFile and privateKeyFile (PEM)");
            }
            else if (!address.IsHttps && ClientCaOf(configuration, key) is not null && key is "inferenceAddress" or "managementAddress" or "metricsAddress")
            {
                var ca = key[..^"Address".Length] + "ClientCaFile";
                problems.Add(originOf(ca), ca, $"client certificates need TLS, and {key} is {address}; give https://");
            }
            else if (ClientCaOf(configuration, key) is not null && configuration.ClientCertificates == Optional && !Exposure.HasTokens(configuration, key))
            {
                problems.Add(originOf("clientCertificates"), "clientCertificates", $"optional lets clients with a certificate come without a token, and {key} has no tokens; give required, or tokens");
            }
        }
    }
}
