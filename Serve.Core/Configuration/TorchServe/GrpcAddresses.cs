using System.Globalization;

namespace Serve.Core.Configuration.TorchServe;

/// <summary>
/// The gRPC interfaces of a <c>config.properties</c>: TorchServe has address, port and TLS of them apart, Serve has them in one
/// address each.
/// </summary>
internal sealed class GrpcAddresses
{
    private const string Tls = "enable_grpc_ssl";

    private static readonly (string Key, string Address, string Port, int DefaultPort)[] Interfaces =
    [
        ("grpcInferenceAddress", "grpc_inference_address", "grpc_inference_port", 7070),
        ("grpcManagementAddress", "grpc_management_address", "grpc_management_port", 7071),
    ];

    private readonly Dictionary<string, PropertiesEntry> _entries = [];

    /// <summary>Serve's keys with their values, and the entries that they come from, at least one.</summary>
    public IEnumerable<(string Key, string Address, IReadOnlyList<PropertiesEntry> Entries)> All
    {
        get
        {
            foreach (var (key, address, port, defaultPort) in Interfaces)
            {
                PropertiesEntry[] entries = [.. ((string[])[address, port, Tls]).Select(name => _entries.GetValueOrDefault(name)).OfType<PropertiesEntry>().Where(entry => entry.Key != Tls || IsTls)];
                if (entries.Length == 0) continue;
                var host = _entries.GetValueOrDefault(address)?.Value ?? "127.0.0.1";
                if (host.Contains(':', StringComparison.Ordinal) && host[0] != '[') host = $"[{host}]";
                yield return (key, $"{(IsTls ? "https" : "http")}://{host}:{_entries.GetValueOrDefault(port)?.Value ?? defaultPort.ToString(CultureInfo.InvariantCulture)}", entries);
            }
        }
    }

    /// <summary>Entries that say what holds without them.</summary>
    public IEnumerable<PropertiesEntry> Defaults => _entries.Values.Where(entry => entry.Key == Tls && !IsTls);

    private bool IsTls => _entries.GetValueOrDefault(Tls)?.Value == "true";

    /// <summary>Keeps an entry that is about them.</summary>
    /// <returns>False: it is not.</returns>
    public bool Take(PropertiesEntry entry)
    {
        var isTheirs = entry.Key == Tls || Interfaces.Any(one => entry.Key == one.Address || entry.Key == one.Port);
        if (isTheirs) _entries[entry.Key] = entry;
        return isTheirs;
    }
}
