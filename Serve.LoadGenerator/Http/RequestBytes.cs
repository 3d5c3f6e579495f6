using System.Text;

namespace Serve.LoadGenerator.Http;

/// <summary>Whole HTTP/1.1 requests as bytes, made before the load begins.</summary>
public static class RequestBytes
{
    /// <summary>A POST with a body.</summary>
    /// <param name="url">Where to; its path and query are sent as they are.</param>
    /// <param name="contentType">Media type of the body.</param>
    /// <param name="body">The body.</param>
    /// <param name="headers">More headers.</param>
    /// <exception cref="ArgumentException">A header has a line end, or another character that HTTP does not have.</exception>
    public static byte[] Post(Uri url, string contentType, ReadOnlySpan<byte> body, params IEnumerable<KeyValuePair<string, string>> headers)
    {
        ArgumentNullException.ThrowIfNull(url);
        ArgumentNullException.ThrowIfNull(headers);
        var head = new StringBuilder($"POST {url.PathAndQuery} HTTP/1.1\r\nHost: {url.Authority}\r\n");
        Add(head, "Content-Type", contentType);
        foreach (var (name, value) in headers) Add(head, name, value);
        head.Append(System.Globalization.CultureInfo.InvariantCulture, $"Content-Length: {body.Length}\r\n\r\n");
        return [.. Encoding.UTF8.GetBytes(head.ToString()), .. body];
    }

    private static void Add(StringBuilder head, string name, string value)
    {
        if (name.Length == 0 || !name.All(letter => char.IsAsciiLetterOrDigit(letter) || "!#$%&'*+-.^_`|~".Contains(letter, StringComparison.Ordinal)))
            throw new ArgumentException($"'{name}' is no name of an HTTP header.");
        if (value.Any(char.IsControl)) throw new ArgumentException($"The value of the header {name} has a control character.");
        head.Append(name).Append(": ").Append(value).Append("\r\n");
    }
}
