using System.Text;

namespace Serve.LoadGenerator.Http;

/// <summary>Whole HTTP/1.1 requests as bytes, made before the load begins.</summary>
public static class RequestBytes
{
    /// <summary>A POST with a body.</summary>
    /// <param name="url">Where to; its path and query are sent as they are.</param>
    /// <param name="contentType">Media type of the body.</param>
    /// <param name="body">The body.</param>
    /// <param name="headers">More headers; Host and Content-Type are sent instead of those of the URL and of the body.</param>
    /// <exception cref="ArgumentException">A header has a line end, or another character that HTTP does not have, or says where the body ends.</exception>
    public static byte[] Post(Uri url, string contentType, ReadOnlySpan<byte> body, params IEnumerable<KeyValuePair<string, string>> headers)
    {
        ArgumentNullException.ThrowIfNull(url);
        ArgumentNullException.ThrowIfNull(headers);
        var given = headers.ToList();
        if (given.Find(header => Is(header, "Content-Length") || Is(header, "Transfer-Encoding")).Key is { } framing) throw new ArgumentException($"{framing} is decided by the body.");
        var head = new StringBuilder($"POST {url.PathAndQuery} HTTP/1.1\r\n");
        if (!given.Exists(header => Is(header, "Host"))) Add(head, "Host", url.Authority);
        if (!given.Exists(header => Is(header, "Content-Type"))) Add(head, "Content-Type", contentType);
        foreach (var (name, value) in given) Add(head, name, value);
        head.Append(System.Globalization.CultureInfo.InvariantCulture, $"Content-Length: {body.Length}\r\n\r\n");
        return [.. Encoding.UTF8.GetBytes(head.ToString()), .. body];
    }

    private static bool Is(KeyValuePair<string, string> header, string name) => header.Key.Equals(name, StringComparison.OrdinalIgnoreCase);

    private static void Add(StringBuilder head, string name, string value)
    {
        if (name.Length == 0 || !name.All(letter => char.IsAsciiLetterOrDigit(letter) || "!#$%&'*+-.^_`|~".Contains(letter, StringComparison.Ordinal)))
            throw new ArgumentException($"'{name}' is no name of an HTTP header.");
        if (value.Any(char.IsControl)) throw new ArgumentException($"The value of the header {name} has a control character.");
        head.Append(name).Append(": ").Append(value).Append("\r\n");
    }
}
