namespace Serve.Core.Configuration;

/// <summary>What must hold between the server's keys, whichever source set them.</summary>
internal static class ServerRules
{
    /// <summary>A socket's path has at most 107 bytes on Linux, 103 on macOS; the sockets' own names need some of them.</summary>
    private const int MaxRuntimeFolderBytes = 70;

    public static void Check(ServerConfiguration configuration, Func<string, ConfigurationOrigin> originOf, ProblemList problems)
    {
        (string Key, string Text)[] listeners =
        [
            ("inferenceAddress", configuration.InferenceAddress),
            ("managementAddress", configuration.ManagementAddress),
            ("metricsAddress", configuration.MetricsAddress),
            ("grpcInferenceAddress", configuration.GrpcInferenceAddress),
            ("grpcManagementAddress", configuration.GrpcManagementAddress),
        ];
        var addresses = listeners.Select(listener => (listener.Key, Address: ListenAddress.Parse(listener.Text, out _)!)).ToList();

        CheckExposure(configuration, addresses, originOf, problems);
        CheckPorts(addresses, originOf, problems);
        TlsSettings.Check(configuration, addresses, originOf, problems);

        if (configuration.HeartbeatTimeout < configuration.HeartbeatInterval * 2)
        {
            problems.Add(originOf("heartbeatTimeout"), "heartbeatTimeout",
                $"{ValueText.Show(configuration.HeartbeatTimeout)} is not allowed with heartbeatInterval {ValueText.Show(configuration.HeartbeatInterval)}; give at least twice the interval, so that one late heartbeat kills nobody");
        }

        if (configuration.RuntimeFolder is { } folder && System.Text.Encoding.UTF8.GetByteCount(folder) > MaxRuntimeFolderBytes)
        {
            problems.Add(originOf("runtimeFolder"), "runtimeFolder",
                $"{folder} is longer than {MaxRuntimeFolderBytes} bytes; sockets lie in it, and their paths are limited by the system: give a shorter one");
        }
    }

    private static void CheckExposure(ServerConfiguration configuration, List<(string Key, ListenAddress Address)> addresses, Func<string, ConfigurationOrigin> originOf, ProblemList problems)
    {
        foreach (var (key, address) in addresses.Where(listener => !listener.Address.IsLoopback))
        {
            var tokens = Exposure.IsManagement(key) ? "managementTokens" : "inferenceTokens";
            if (Exposure.IsGuarded(configuration, key, address))
            {
                if (!address.IsHttps && key != "metricsAddress") problems.Warn(originOf(key), key, $"{address} can be reached from other machines, and tokens travel there as they are; give https://, or have TLS in front of it");
            }
            else if (configuration.Auth is null)
            {
                problems.Add(originOf(key), key,
                    $"{address} can be reached from other machines, and nothing would ask who calls; give a loopback address ({address.Scheme}://127.0.0.1:{address.Port}), tokens ({tokens}), or `auth: none` if the network in front of it is trusted or guarded otherwise");
            }
            else if (Exposure.IsManagement(key))
            {
                problems.Warn(originOf(key), key, configuration.EnableModelApi == true
                    ? $"{address} lets everyone who reaches it register and remove models, and models run code; give a loopback address, managementTokens, or `enableModelApi: false`"
                    : $"{address} can be used by everyone who reaches it, so models cannot be registered and removed there; give a loopback address or managementTokens, or take the risk with `enableModelApi: true`");
            }
        }
    }

    private static void CheckPorts(List<(string Key, ListenAddress Address)> addresses, Func<string, ConfigurationOrigin> originOf, ProblemList problems)
    {
        for (var i = 1; i < addresses.Count; i++)
        {
            var (key, address) = addresses[i];
            var same = addresses.Take(i).FirstOrDefault(other => other.Address.Port == address.Port && address.Port != 0 && Overlap(other.Address, address));
            if (same.Key is not null) problems.Add(originOf(key), key, $"{address} is taken by {same.Key} ({same.Address}); give each listener a port of its own");
        }
    }

    private static bool Overlap(ListenAddress a, ListenAddress b) => a.Address.Equals(b.Address) || IsAny(a) || IsAny(b);

    private static bool IsAny(ListenAddress address) => address.Address.Equals(System.Net.IPAddress.Any) || address.Address.Equals(System.Net.IPAddress.IPv6Any);
}
