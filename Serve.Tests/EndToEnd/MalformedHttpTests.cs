using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Serve.Management.Http;

namespace Serve.Tests.EndToEnd;

/// <summary>What is no HTTP is refused by the HTTP server itself, in the same words as everything else.</summary>
public sealed class MalformedHttpTests : IClassFixture<RouteServer>
{
    private readonly ServerFixture _server;

    public MalformedHttpTests(RouteServer models, ITestOutputHelper output)
    {
        _server = models.Server;
        _server.ShowLogs(output);
    }

    public static TheoryData<string, int> Malformed => new()
    {
        { "nonsense\r\n\r\n", 400 },
        { "GET /ping HTTP/1.1\r\n\r\n", 400 }, // no Host
        { "GET /ping HTTP/1.1\r\nHost: x\r\nbroken header\r\n\r\n", 400 },
        { "POST /predictions/echo HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n", 400 },
        { $"GET /{new string('a', 20_000)} HTTP/1.1\r\nHost: x\r\n\r\n", 414 },
        { $"GET /ping HTTP/1.1\r\nHost: x\r\nX-Long: {new string('a', 40_000)}\r\n\r\n", 431 },
        { $"GET /ping HTTP/1.1\r\nHost: x\r\n{string.Concat(Enumerable.Range(0, 200).Select(i => $"X-{i}: y\r\n"))}\r\n", 431 },
        { "GET /ping HTTP/7.3\r\nHost: x\r\n\r\n", 505 },
    };

    [Theory]
    [MemberData(nameof(Malformed))]
    public async Task It_is_answered_with_the_JSON_of_every_error(string request, int status)
    {
        foreach (var listener in (string[])[_server.Inference, _server.Management, _server.Metrics])
        {
            var (line, headers, body) = await SendAsync(new Uri(listener), request);
            Assert.StartsWith($"HTTP/1.1 {status} ", line, StringComparison.Ordinal);
            Assert.Equal("application/json", headers["Content-Type"]);
            Assert.Equal("close", headers["Connection"]);
            var error = JsonSerializer.Deserialize(body, HttpJson.Default.ErrorBody)!;
            Assert.Equal((status, "BadRequestException"), (error.Code, error.Type));
            Assert.NotEmpty(error.Message);
        }

        Assert.Equal("still there", (await _server.PredictAsync("echo", "still there"u8.ToArray())).Text);
    }

    private static async Task<(string Line, Dictionary<string, string> Headers, string Body)> SendAsync(Uri listener, string request)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(listener.Host, listener.Port);
        await using var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request));
        using var reader = new StreamReader(stream, Encoding.ASCII);
        var line = await reader.ReadLineAsync() ?? "";
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        while (await reader.ReadLineAsync() is { Length: > 0 } header)
        {
            var colon = header.IndexOf(':', StringComparison.Ordinal);
            headers[header[..colon]] = header[(colon + 1)..].Trim();
        }

        var body = new char[int.Parse(headers["Content-Length"], CultureInfo.InvariantCulture)];
        Assert.Equal(body.Length, await reader.ReadBlockAsync(body));
        return (line, headers, new string(body));
    }
}
