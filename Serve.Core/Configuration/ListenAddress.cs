using System.Globalization;
using System.Net;

namespace Serve.Core.Configuration;

/// <summary>Where a listener binds.</summary>
/// <param name="Host"><c>localhost</c>, or null for <paramref name="Address"/>.</param>
/// <param name="Address">The address; for <c>localhost</c> the IPv4 loopback address.</param>
/// <param name="Port">0 to 65535; 0 takes a free one.</param>
/// <param name="IsHttps">Whether TLS is spoken there.</param>
public sealed record ListenAddress(string? Host, IPAddress Address, int Port, bool IsHttps = false)
{
    /// <summary>Whether only this machine can connect.</summary>
    public bool IsLoopback => IPAddress.IsLoopback(Address);

    /// <summary>Reads <c>http://HOST:PORT</c> or <c>https://HOST:PORT</c>; the host is an IP address (IPv6 in brackets), <c>localhost</c>, or <c>*</c> for all addresses.</summary>
    /// <param name="text">As written.</param>
    /// <param name="fault">What is wrong and what would be right, if the result is null.</param>
    /// <remarks>Names are not resolved: what they mean can change, and servers are known to bind everything for a name that they do not know.</remarks>
    public static ListenAddress? Parse(string text, out string fault)
    {
        ArgumentNullException.ThrowIfNull(text);
        const string Right = "give http://HOST:PORT, for example http://127.0.0.1:8080";
        fault = "";
        var isHttps = text.StartsWith("https://", StringComparison.OrdinalIgnoreCase);
        if (!isHttps && !text.StartsWith("http://", StringComparison.OrdinalIgnoreCase))
        {
            fault = $"{text} is no address; {Right}";
            return null;
        }

        var authority = text[(text.IndexOf("//", StringComparison.Ordinal) + 2)..].TrimEnd('/');
        var colon = authority.LastIndexOf(':');
        if (colon < 0 || authority.EndsWith(']'))
        {
            fault = $"{text} has no port; {Right}";
            return null;
        }

        var host = authority[..colon];
        if (!int.TryParse(authority[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port > 65535)
        {
            fault = $"{text}: \"{authority[(colon + 1)..]}\" is no port (0 to 65535); {Right}";
            return null;
        }

        if (host.Equals("localhost", StringComparison.OrdinalIgnoreCase)) return new ListenAddress("localhost", IPAddress.Loopback, port, isHttps);
        if (host is "*" or "+") return new ListenAddress(null, IPAddress.IPv6Any, port, isHttps);
        if (Ip(host) is { } address) return new ListenAddress(null, address, port, isHttps);

        fault = $"{text}: \"{host}\" is neither an IP address (IPv6 in brackets) nor localhost; names are not resolved. {Right}";
        return null;
    }

    /// <summary>What an address begins with.</summary>
    public string Scheme => IsHttps ? "https" : "http";

    /// <summary><c>http://HOST:PORT</c> or <c>https://HOST:PORT</c>.</summary>
    public override string ToString() => $"{Scheme}://{Host ?? (Address.AddressFamily is System.Net.Sockets.AddressFamily.InterNetworkV6 ? $"[{Address}]" : Address.ToString())}:{Port}";

    /// <summary>Four decimal numbers, or IPv6 in brackets: not the short, octal and hexadecimal forms that IPAddress also takes.</summary>
    private static IPAddress? Ip(string host)
    {
        var isV6 = host.StartsWith('[') && host.EndsWith(']');
        if (!IPAddress.TryParse(isV6 ? host[1..^1] : host, out var address)) return null;
        if (isV6) return address.AddressFamily is System.Net.Sockets.AddressFamily.InterNetworkV6 ? address : null;

        return address.ToString() == host && address.AddressFamily is System.Net.Sockets.AddressFamily.InterNetwork ? address : null;
    }
}
