using System.Net;
using System.Net.Sockets;

namespace Serve.Management.Sources;

/// <summary>
/// Which addresses are public. A URL that a client gives must not lead the server to itself, to machines of its own network,
/// or to a cloud's metadata service, whose answers are credentials. The ranges are those of IANA's special-purpose
/// registries (RFC 6890 and its successors) that are not globally reachable.
/// </summary>
internal static class AddressRules
{
    private static readonly IPNetwork[] Special = [.. new[]
    {
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
        "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",

        // Azure's host service, which answers every virtual machine, on a public address.
        "168.63.129.16/32",

        // IPv6: unspecified, loopback and IPv4-compatible; local NAT64; discard; Teredo and other protocols; documentation; 6to4 is looked into; SRv6; unique local; link local; site local; multicast.
        "::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    }.Select(IPNetwork.Parse)];

    private static readonly IPNetwork Nat64 = IPNetwork.Parse("64:ff9b::/96");
    private static readonly IPNetwork SixToFour = IPNetwork.Parse("2002::/16");

    /// <summary>Whether anybody on the internet could reach the address.</summary>
    public static bool IsPublic(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        if (Special.Any(network => network.BaseAddress.AddressFamily == address.AddressFamily && network.Contains(address))) return false;
        if (address.AddressFamily is not AddressFamily.InterNetworkV6) return address.AddressFamily is AddressFamily.InterNetwork;

        // An IPv4 address inside an IPv6 one is where the packets end up.
        var bytes = address.GetAddressBytes();
        if (Nat64.Contains(address)) return IsPublic(new IPAddress(bytes.AsSpan(12, 4)));
        return !SixToFour.Contains(address) || IsPublic(new IPAddress(bytes.AsSpan(2, 4)));
    }
}
