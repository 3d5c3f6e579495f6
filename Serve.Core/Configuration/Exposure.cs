namespace Serve.Core.Configuration;

/// <summary>Who can reach a listener, and what that allows.</summary>
internal static class Exposure
{
    /// <summary>The keys of the listeners where models are managed.</summary>
    public static bool IsManagement(string key) => key is "managementAddress" or "grpcManagementAddress";

    /// <summary>Whether a listener asks who calls. The metrics listener never does; it counts as guarded where the others are.</summary>
    /// <param name="configuration">The server's settings.</param>
    /// <param name="key">The key of the listener's address.</param>
    public static bool IsGuarded(ServerConfiguration configuration, string key) => key switch
    {
        "inferenceAddress" or "grpcInferenceAddress" => configuration.InferenceTokens.Count > 0,
        "managementAddress" or "grpcManagementAddress" => configuration.ManagementTokens.Count > 0,
        _ => configuration.InferenceTokens.Count > 0,
    };

    /// <summary>Whether models may be registered and unregistered at a listener: where nobody has said it, if not everybody can.</summary>
    public static bool AllowsModelApi(ServerConfiguration configuration, string key, string address) =>
        configuration.EnableModelApi ?? (IsGuarded(configuration, key) || ListenAddress.Parse(address, out _) is { IsLoopback: true });
}
