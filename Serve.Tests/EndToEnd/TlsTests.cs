using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Net.Client;
using Serve.Core.Configuration.Tokens;
using Serve.Frontend.Grpc;
using Serve.Management.Grpc;

namespace Serve.Tests.EndToEnd;

/// <summary>A server that speaks TLS, on every listener.</summary>
public sealed class TlsTests(ITestOutputHelper output) : IDisposable
{
    private static readonly string[] Addresses = ["--inference-address", "--management-address", "--metrics-address", "--grpc-inference-address", "--grpc-management-address"];

    private readonly TestCertificates _certificates = new("Serve's tests");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _certificates.Dispose();

    [Fact]
    public async Task Every_listener_speaks_it_and_a_renewed_certificate_is_used_without_a_restart()
    {
        var expires = DateTimeOffset.UtcNow.AddDays(3);
        using var first = _certificates.ForServer(expires);
        var files = _certificates.Write("server", first);
        await using var server = await StartAsync("--certificate-file", files.Certificate, "--private-key-file", files.Key);

        Assert.All((string[])[server.Inference, server.Management, server.Metrics, server.GrpcInference, server.GrpcManagement], url => Assert.StartsWith("https://127.0.0.1:", url, StringComparison.Ordinal));
        Assert.Equal(HttpStatusCode.OK, (await server.GetAsync("/ping")).Status);
        Assert.Equal(HttpStatusCode.OK, (await server.ManageAsync(HttpMethod.Get, "/models")).Status);
        using var channel = GrpcChannel.ForAddress(server.GrpcInference, new GrpcChannelOptions { HttpHandler = Handler() });
        var grpc = new InferenceAPIsService.InferenceAPIsServiceClient(channel);
        Assert.Contains("Healthy", (await grpc.PingAsync(new Empty(), cancellationToken: Cancellation)).Health, StringComparison.Ordinal);
        Assert.Equal(first.NotAfter.ToUniversalTime(), DateTime.UnixEpoch.AddSeconds(await server.MetricAsync("serve_tls_certificate_expiry_timestamp_seconds{listener=\"management\"}")));

        // A connection that is open, the new certificate without its key, and then with it.
        using var open = await ConnectAsync(server.Inference);
        Assert.Equal(first.Thumbprint, open.RemoteCertificate!.GetCertHashString());
        await PingAsync(open);
        using var second = _certificates.ForServer();
        File.WriteAllText(files.Certificate, second.ExportCertificatePem());
        await server.WaitForLogAsync(line => line.Contains("cannot be used as it is now", StringComparison.Ordinal) && line.Contains("not the key of the certificate", StringComparison.Ordinal));
        using (var meanwhile = await ConnectAsync(server.Inference)) Assert.Equal(first.Thumbprint, meanwhile.RemoteCertificate!.GetCertHashString());
        _certificates.Write("server", second);
        await Eventually.BecomesAsync("new connections get the new certificate", async () =>
        {
            using var next = await ConnectAsync(server.Inference);
            return next.RemoteCertificate!.GetCertHashString();
        }, hash => hash == second.Thumbprint);
        await PingAsync(open);
    }

    [Fact]
    public async Task Old_versions_plain_HTTP_and_nonsense_are_refused()
    {
        using var certificate = _certificates.ForServer();
        var files = _certificates.Write("server", certificate);
        await using var server = await StartAsync("--certificate-file", files.Certificate, "--private-key-file", files.Key, "--headers-timeout", "1s");

        foreach (var listener in (string[])[server.Inference, server.GrpcManagement])
        {
            var plain = await AnswerAsync(listener, "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"u8);
            Assert.StartsWith("HTTP/1.1 403 Forbidden\r\n", plain, StringComparison.Ordinal);
            Assert.Contains("\"message\": \"This server only accepts HTTPS requests here.\"", plain, StringComparison.Ordinal);
            Assert.Equal("", await AnswerAsync(listener, "\0\0\0"u8));
            Assert.Equal("", await AnswerAsync(listener, ""u8));

            // Alert, protocol_version (RFC 8446, section 6.2). 1.2, which it speaks, gets another answer to the same hello.
            Assert.Equal(70, (await AnswerAsync(listener, ClientHello(minor: 2)))[6]);
            Assert.NotEqual(70, (await AnswerAsync(listener, ClientHello(minor: 3)))[6]);
        }

        // What Kestrel refuses itself comes by the same way.
        using (var malformed = await ConnectAsync(server.Inference))
        {
            await malformed.WriteAsync("GET / HTTP/9.9\r\n\r\n"u8.ToArray(), Cancellation);
            using var text = new StreamReader(malformed);
            var answer = await text.ReadToEndAsync(Cancellation);
            Assert.StartsWith("HTTP/1.1 505 ", answer, StringComparison.Ordinal);
            Assert.Contains("\"code\": 505", answer, StringComparison.Ordinal);
        }

        foreach (var version in (SslProtocols[])[SslProtocols.Tls12, SslProtocols.Tls13])
        {
            using var stream = await ConnectAsync(server.Inference, version);
            Assert.Equal(version, stream.SslProtocol);
        }
    }

    [Fact]
    public async Task A_required_client_certificate_must_be_of_the_right_authority()
    {
        using var certificate = _certificates.ForServer();
        using var others = new TestCertificates("Serve's tests"); // another one of the same name
        var files = _certificates.Write("server", certificate);
        await using var server = await StartAsync("--certificate-file", files.Certificate, "--private-key-file", files.Key, "--management-client-ca-file", _certificates.CaFile);
        using var client = _certificates.ForClient();
        using var stranger = others.ForClient();

        Assert.Equal(HttpStatusCode.OK, (await server.GetAsync("/ping")).Status);
        Assert.Equal(HttpStatusCode.OK, await ListAsync(client));
        Assert.Null(await ListAsync(null));
        Assert.Null(await ListAsync(stranger));
        Assert.Null(await ListAsync(certificate)); // of the authority, but not for clients

        using var channel = GrpcChannel.ForAddress(server.GrpcManagement, new GrpcChannelOptions { HttpHandler = Handler(client) });
        Assert.Contains("models", (await new ManagementAPIsService.ManagementAPIsServiceClient(channel).ListModelsAsync(new(), cancellationToken: Cancellation)).Msg, StringComparison.Ordinal);
        using var anonymous = GrpcChannel.ForAddress(server.GrpcManagement, new GrpcChannelOptions { HttpHandler = Handler() });
        await Assert.ThrowsAsync<RpcException>(async () => await new ManagementAPIsService.ManagementAPIsServiceClient(anonymous).ListModelsAsync(new(), cancellationToken: Cancellation));

        var own = _certificates.Write("client", client);
        Assert.Equal(4, (await server.RunAsync("models", "--ca-cert", _certificates.CaFile)).Code);
        var (code, text) = await server.RunAsync("models", "--cert", own.Certificate, "--key", own.Key);
        Assert.Equal(4, code);
        Assert.Contains("Give --ca-cert", text, StringComparison.Ordinal);
        foreach (var trusted in (string[])[_certificates.CaFile, files.Certificate])
        {
            (code, text) = await server.RunAsync("models", "--ca-cert", trusted, "--cert", own.Certificate, "--key", own.Key);
            Assert.True(code == 0, text);
        }

        Task<HttpStatusCode?> ListAsync(X509Certificate2? with) => GetAsync(server.Management + "/models", with);
    }

    [Fact]
    public async Task An_optional_client_certificate_stands_for_a_token()
    {
        var token = AccessToken.NewText();
        using var certificate = _certificates.ForServer();
        using var others = new TestCertificates("Others");
        var files = _certificates.Write("server", certificate);
        await using var server = await StartAsync("--certificate-file", files.Certificate, "--private-key-file", files.Key, "--inference-client-ca-file", _certificates.CaFile,
            "--client-certificates", "optional", "--inference-tokens", AccessToken.HashText(token));
        using var client = _certificates.ForClient();
        using var stranger = others.ForClient();

        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(server.Inference + "/ping", null));
        Assert.Equal(HttpStatusCode.OK, await GetAsync(server.Inference + "/ping", client));
        Assert.Equal(HttpStatusCode.OK, await GetAsync(server.Inference + "/ping", null, token));
        Assert.Null(await GetAsync(server.Inference + "/ping", stranger, token));
    }

    [Theory]
    [InlineData("none", "there is no private key in it; it must be PEM")]
    [InlineData("encrypted", "the key is encrypted; decrypt it")]
    [InlineData("other", "it is not the key of the certificate in")]
    [InlineData("missing", "there is no such file")]
    public async Task Files_that_are_wrong_are_named_at_the_start(string kind, string fault)
    {
        using var certificate = _certificates.ForServer();
        using var another = _certificates.ForServer();
        var files = _certificates.Write("server", certificate);
        if (kind == "none") File.WriteAllText(files.Key, "");
        if (kind == "encrypted") File.WriteAllText(files.Key, certificate.GetECDsaPrivateKey()!.ExportEncryptedPkcs8PrivateKeyPem("x", new(System.Security.Cryptography.PbeEncryptionAlgorithm.Aes128Cbc, System.Security.Cryptography.HashAlgorithmName.SHA256, 1)));
        if (kind == "other") _certificates.Write("server", another);
        if (kind == "other") File.WriteAllText(files.Certificate, certificate.ExportCertificatePem());
        if (kind == "missing") File.Delete(files.Key);

        var (code, text) = await Cli.RunAsync([.. "start --model-store / --load-models none --certificate-file".Split(' '), files.Certificate, "--private-key-file", files.Key, .. Addresses.SelectMany(flag => (string[])[flag, "https://127.0.0.1:0"])]);

        Assert.Equal(2, code);
        Assert.Contains($"{files.Key}: {fault}", text, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_was_only_begun_does_not_hold_a_stop()
    {
        using var certificate = _certificates.ForServer();
        var files = _certificates.Write("server", certificate);
        await using var server = await StartAsync("--certificate-file", files.Certificate, "--private-key-file", files.Key, "--headers-timeout", "1h");
        using var idle = await ConnectAsync(server.Inference);
        await PingAsync(idle);
        using var half = await ConnectAsync(server.Inference);
        await half.WriteAsync("POST /predictions/x HTTP/1.1\r\nHost: x\r\nX-Half"u8.ToArray(), Cancellation);
        using var silent = await RawClient.ConnectAsync(server.Inference);
        using var handshake = await RawClient.ConnectAsync(server.Management);
        await handshake.SendAsync((byte[])[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]);
        using var call = await RawClient.ConnectAsync(server.GrpcInference);
        await call.SendAsync((byte[])[0x16]);

        // Far less than any of them could take: an hour for headers, else 30 s.
        Assert.Equal(0, await server.StopAsync().WaitAsync(TimeSpan.FromSeconds(20), Cancellation));
        Assert.Equal("", await handshake.ReadToEndAsync());
    }

    private Task<ServerFixture> StartAsync(params string[] flags) => ServerFixture.StartAsync(new ServerOptions
    {
        Models = [],
        Flags = ["--load-models", "none", .. Addresses.SelectMany(flag => (string[])[flag, "https://127.0.0.1:0"]), .. flags],
        Authority = _certificates.Ca,
    }, output);

    private SocketsHttpHandler Handler(X509Certificate2? client = null)
    {
        var handler = new SocketsHttpHandler { UseProxy = false, SslOptions = ServerFixture.Trust(_certificates.Ca) };
        if (client is not null) handler.SslOptions.LocalCertificateSelectionCallback = (_, _, _, _, _) => client;
        return handler;
    }

    // The status, or null where there is no connection.
    private async Task<HttpStatusCode?> GetAsync(string url, X509Certificate2? client, string? token = null)
    {
        using var http = new HttpClient(Handler(client));
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        if (token is not null) request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token}");
        try
        {
            using var response = await http.SendAsync(request, Cancellation);
            return response.StatusCode;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    private async Task<SslStream> ConnectAsync(string listener, SslProtocols version = SslProtocols.None)
    {
        var stream = new SslStream(new NetworkStream(await RawClient.ConnectAsync(listener), ownsSocket: true));
        var options = ServerFixture.Trust(_certificates.Ca);
        (options.TargetHost, options.EnabledSslProtocols) = ("127.0.0.1", version);
        await stream.AuthenticateAsClientAsync(options, Cancellation);
        return stream;
    }

    private static async Task PingAsync(SslStream stream)
    {
        await stream.WriteAsync("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray(), Cancellation);
        var answer = new byte[4096];
        Assert.StartsWith("HTTP/1.1 200 ", Encoding.ASCII.GetString(answer, 0, await stream.ReadAsync(answer, Cancellation)), StringComparison.Ordinal);
    }

    private static Task<string> AnswerAsync(string listener, ReadOnlySpan<byte> bytes) => AnswerAsync(listener, bytes.ToArray());

    private static async Task<string> AnswerAsync(string listener, byte[] bytes)
    {
        using var client = await RawClient.ConnectAsync(listener);
        await client.SendAsync(bytes);
        if (bytes.Length > 0 && bytes[0] == 0x16)
        {
            // One record: whoever offers no more than this waits for what comes next.
            var record = new byte[4096];
            return Encoding.Latin1.GetString(record, 0, await client.ReceiveAsync(record));
        }

        return await client.ReadToEndAsync();
    }

    // RFC 5246, section 7.4.1.2: a hello without extensions, and one cipher suite that any server of its time had.
    private static byte[] ClientHello(byte minor)
    {
        byte[] body = [3, minor, .. new byte[32], 0, 0, 4, 0xC0, 0x2B, 0xC0, 0x09, 1, 0];
        return [0x16, 3, 1, 0, (byte)(body.Length + 4), 1, 0, 0, (byte)body.Length, .. body];
    }
}
