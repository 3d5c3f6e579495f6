using System.CommandLine;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Serve.Core.Configuration;

namespace Serve.Frontend.Commands;

/// <summary>How a command shows a server who it is, and which server it trusts.</summary>
/// <param name="Token">What it sends as <c>Authorization: Bearer</c>; null: nothing.</param>
/// <param name="CaFile">PEM: whom it trusts instead of the system's authorities; also a server's own certificate, whatever its names. Null: the system's.</param>
/// <param name="CertificateFile">PEM: its own certificate; null: none.</param>
/// <param name="KeyFile">PEM: the key of that.</param>
internal sealed record ClientCredentials(string? Token, string? CaFile, string? CertificateFile, string? KeyFile)
{
    /// <summary>Of a command that needs none.</summary>
    public static ClientCredentials None { get; } = new(null, null, null, null);

    /// <summary>TLS as the files say.</summary>
    /// <exception cref="CommandException">A file is not what it should be.</exception>
    public SslClientAuthenticationOptions Tls()
    {
        var options = new SslClientAuthenticationOptions();
        try
        {
            if (CaFile is not null) Trust(options, CaFile);
            if (CertificateFile is not null)
            {
                var own = X509Certificate2.CreateFromPemFile(CertificateFile, KeyFile);
                options.LocalCertificateSelectionCallback = (_, _, _, _, _) => own;
            }
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new CommandException(ExitCode.Usage, $"{CaFile ?? CertificateFile}: this is no PEM file with what is needed: {e.Message}");
        }

        return options;
    }

    private static void Trust(SslClientAuthenticationOptions options, string file)
    {
        var trusted = new X509Certificate2Collection();
        trusted.ImportFromPemFile(file);
        if (trusted.Count == 0) throw new CommandException(ExitCode.Usage, $"{file}: there is no certificate in it; it must be PEM.");
        options.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        options.CertificateChainPolicy.CustomTrustStore.AddRange(trusted);
        options.RemoteCertificateValidationCallback = (_, certificate, _, errors) =>
            errors == SslPolicyErrors.None || (certificate is not null && trusted.Any(own => own.RawDataMemory.Span.SequenceEqual(certificate.GetRawCertData())));
    }
}

/// <summary>The options for that, each with a variable.</summary>
internal sealed class CredentialOptions
{
    private readonly Option<string?> _token = new("--token") { HelpName = "TOKEN", Description = $"The server's token; better by the variable {EnvironmentNames.ClientToken}, which other users cannot see" };
    private readonly Option<string?> _ca = new("--ca-cert") { HelpName = "FILE", Description = $"PEM: the authority of an https:// server, or its own certificate [{EnvironmentNames.ClientCaFile}]" };
    private readonly Option<string?> _certificate = new("--cert") { HelpName = "FILE", Description = $"PEM: this client's certificate [{EnvironmentNames.ClientCertificateFile}]" };
    private readonly Option<string?> _key = new("--key") { HelpName = "FILE", Description = $"PEM: its key, if it is not in the same file [{EnvironmentNames.ClientKeyFile}]" };

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_token, _ca, _certificate, _key]) command.Options.Add(option);
    }

    /// <summary>What was given.</summary>
    public ClientCredentials Read(ParseResult arguments)
    {
        return new(
            Given(_token, EnvironmentNames.ClientToken),
            Given(_ca, EnvironmentNames.ClientCaFile),
            Given(_certificate, EnvironmentNames.ClientCertificateFile),
            Given(_key, EnvironmentNames.ClientKeyFile));

        string? Given(Option<string?> option, string variable) =>
            arguments.GetValue(option) ?? Environment.GetEnvironmentVariable(variable) switch
            {
                null or "" => null,
                var value => value.Trim(),
            };
    }
}
