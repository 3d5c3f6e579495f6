using System.Globalization;
using System.Net;
using System.Text.Json;

namespace Serve.Tests.EndToEnd;

/// <summary>TorchServe's way with tokens: a key file, and a route for new ones.</summary>
public sealed class KeyFileTests(ITestOutputHelper output) : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string KeyFile => _folder["key_file.json"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Tokens_are_made_renewed_and_removed()
    {
        await using var server = await HandlerServer.StartAsync(output, "--key-file", KeyFile, "--token-expiration", "30m");
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(KeyFile));
        var (inference, management, api) = (Key("inference"), Key("management"), Key("API"));
        Assert.InRange(Expires("inference") - DateTimeOffset.UtcNow, TimeSpan.FromMinutes(28), TimeSpan.FromMinutes(30));

        Assert.Equal(HttpStatusCode.OK, await AskAsync(server.Inference + "/ping", inference));
        Assert.Equal(HttpStatusCode.OK, await AskAsync(server.Management + "/models", management));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(server.Inference + "/ping", null));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(server.Inference + "/ping", api));

        // Only the API key gets new ones, and only of the kinds that there are.
        foreach (var wrong in (string?[])[null, inference, management, "wrong-token-000000000"]) Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(server.Management + "/token?type=inference", wrong));
        Assert.Equal(HttpStatusCode.BadRequest, await AskAsync(server.Management + "/token?type=other", api));
        Assert.Equal(HttpStatusCode.BadRequest, await AskAsync(server.Management + "/token", api));
        Assert.Equal((inference, management), (Key("inference"), Key("management")));

        var answer = await server.SendAsync(Request(server.Management + "/token?type=inference", api));
        Assert.Equal((HttpStatusCode.OK, "{}\n"), (answer.Status, answer.Text));
        Assert.NotEqual(inference, Key("inference"));
        Assert.Equal((management, api), (Key("management"), Key("API")));
        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.OK), (await AskAsync(server.Inference + "/ping", inference), await AskAsync(server.Inference + "/ping", Key("inference"))));
        Assert.Equal(HttpStatusCode.OK, await AskAsync(server.Management + "/token/?type=TOKEN", api));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(server.Management + "/token?type=management", api));
        Assert.Equal(HttpStatusCode.OK, await AskAsync(server.Management + "/token?type=management", Key("API")));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(server.Management + "/models", management));

        var said = string.Join('\n', server.Log);
        Assert.All((string[])[inference, management, api, Key("API"), Key("inference")], key => Assert.DoesNotContain(key, said, StringComparison.Ordinal));
        Assert.Equal(0, await server.StopAsync());
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));

        async Task<HttpStatusCode> AskAsync(string url, string? token) => (await server.SendAsync(Request(url, token))).Status;
    }

    [Fact]
    public async Task Without_a_key_file_there_is_no_such_route_and_one_that_cannot_be_written_ends_the_start()
    {
        await using var server = await HandlerServer.StartAsync(output);
        Assert.Equal(HttpStatusCode.NotFound, (await server.ManageAsync(HttpMethod.Get, "/token?type=inference")).Status);

        var (code, text) = await Cli.RunAsync("start", "--model-store", _folder.Path, "--key-file", "/nowhere/key_file.json",
            "--inference-address", "http://127.0.0.1:0", "--management-address", "http://127.0.0.1:0", "--metrics-address", "http://127.0.0.1:0", "--grpc-inference-address", "http://127.0.0.1:0", "--grpc-management-address", "http://127.0.0.1:0");
        Assert.Equal(2, code);
        Assert.StartsWith("keyFile: /nowhere/key_file.json cannot be written: ", text, StringComparison.Ordinal);
    }

    private static HttpRequestMessage Request(string url, string? token)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, url);
        if (token is not null) request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token}");
        return request;
    }

    private string Key(string type) => Entry(type).GetProperty("key").GetString()!;

    private DateTimeOffset Expires(string type) => DateTimeOffset.Parse(Entry(type).GetProperty("expiration time").GetString()!, CultureInfo.InvariantCulture);

    private JsonElement Entry(string type)
    {
        using var keys = JsonDocument.Parse(File.ReadAllBytes(KeyFile));
        return keys.RootElement.GetProperty(type).Clone();
    }
}
