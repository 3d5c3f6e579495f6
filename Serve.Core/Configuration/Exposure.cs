namespace Serve.Core.Configuration;

/// <summary>Who can reach a listener, and what that allows.</summary>
internal static class Exposure
{
    /// <summary>The keys of the listeners where models are managed.</summary>
    public static bool IsManagement(string key) => key is "managementAddress" or "grpcManagementAddress";

    /// <summary>Whether a listener asks who calls. The metrics listener asks for no token; it counts as guarded where inference has some.</summary>
    /// <param name="configuration">The server's settings.</param>
    /// <param name="key">The key of the listener's address.</param>
    /// <param name="address">The address.</param>
    public static bool IsGuarded(ServerConfiguration configuration, string key, ListenAddress address) =>
        HasTokens(configuration, key) || (address.IsHttps && TlsSettings.RequiresClientCertificate(configuration, key));

    /// <summary>Whether tokens open a listener, or for metrics the others.</summary>
    public static bool HasTokens(ServerConfiguration configuration, string key) =>
        configuration.KeyFile is not null || (IsManagement(key) ? configuration.ManagementTokens : configuration.InferenceTokens).Count > 0;

    /// <summary>
    /// Whether models may be loaded and unloaded at a listener for inference: where nobody has said it, if its clients may change
    /// the server.
    /// </summary>
    public static bool AllowsModelControl(ServerConfiguration configuration, string address) => configuration.OpenInference.ModelControl switch
    {
        { } said => said == OpenInferenceConfiguration.Explicit,
        null => configuration.EnableModelApi != false && AllowsChanges(configuration, address),
    };

    /// <summary>
    /// Whether the server may be changed at a listener for inference: where tokens for management are asked for, or no other
    /// machine reaches it and it asks for none of its own, which a client behind a proxy may have and which are for inference.
    /// </summary>
    public static bool AllowsChanges(ServerConfiguration configuration, string address) =>
        HasTokens(configuration, "managementAddress") || (ListenAddress.Parse(address, out _) is { IsLoopback: true } && !HasTokens(configuration, "inferenceAddress"));

    /// <summary>Whether models may be registered and unregistered at a listener: where nobody has said it, if not everybody can.</summary>
    public static bool AllowsModelApi(ServerConfiguration configuration, string key, string address) =>
        configuration.EnableModelApi ?? (ListenAddress.Parse(address, out _) is { } parsed && (parsed.IsLoopback || IsGuarded(configuration, key, parsed)));
}
