using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Serve.Core.Configuration;
using Serve.Core.Observability;
using Serve.Frontend.Hosting;
using Serve.Management.Console;
using Serve.Tests.EndToEnd;

namespace Serve.Tests.Management.Console;

/// <summary>How the console's page comes to a browser: with which headers, to whom, and what lies beside it and does not.</summary>
public sealed class ConsoleRoutesTests(ConsoleRoutesTests.Server server) : IClassFixture<ConsoleRoutesTests.Server>
{
    private const int Limit = 200_000;

    /// <summary>A server that asks for tokens, without models.</summary>
    public sealed class Server : IAsyncLifetime
    {
        private readonly DirectoryInfo _store = Directory.CreateTempSubdirectory("serve-test-");
        private readonly Shutdown _shutdown = new();

        internal HttpClient Client { get; } = new(new SocketsHttpHandler { AllowAutoRedirect = false });

        internal ServeHost Host { get; private set; } = null!;

        public async ValueTask InitializeAsync() => Host = await ServeHost.StartAsync(
            new ServerConfiguration
            {
                InferenceAddress = "http://127.0.0.1:0",
                ManagementAddress = "http://127.0.0.1:0",
                MetricsAddress = "http://127.0.0.1:0",
                GrpcInferenceAddress = "http://127.0.0.1:0",
                GrpcManagementAddress = "http://127.0.0.1:0",
                ModelStore = _store.FullName,
                LoadModels = ["none"],
                WorkerExecutable = Environment.ProcessPath,
                KeyFile = Path.Combine(_store.FullName, "key_file.json"),
                Snapshots = false,
            },
            NullLoggerFactory.Instance,
            _shutdown,
            new LogLevelSwitch("information"));

        public async ValueTask DisposeAsync()
        {
            await Host.DisposeAsync();
            Client.Dispose();
            _shutdown.Dispose();
            _store.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task The_address_without_a_slash_leads_to_the_page()
    {
        using var answer = await GetAsync("/console");
        Assert.Equal(HttpStatusCode.TemporaryRedirect, answer.StatusCode);
        Assert.Equal("console/", answer.Headers.Location!.OriginalString);
    }

    [Fact]
    public async Task The_page_and_all_that_it_names_come_without_a_token()
    {
        using var page = await GetAsync("/console/");
        Assert.Equal((HttpStatusCode.OK, "text/html; charset=utf-8"), (page.StatusCode, page.Content.Headers.ContentType!.ToString()));
        var html = await page.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        foreach (var (file, type) in (IEnumerable<(string, string)>)[("console.js", "text/javascript; charset=utf-8"), ("console.css", "text/css; charset=utf-8"), ("icon.svg", "image/svg+xml")])
        {
            Assert.Contains($"\"{file}\"", html, StringComparison.Ordinal);
            using var answer = await GetAsync($"/console/{file}");
            Assert.Equal((HttpStatusCode.OK, type), (answer.StatusCode, answer.Content.Headers.ContentType!.ToString()));
        }
    }

    [Fact]
    public async Task Every_file_may_load_only_what_comes_from_this_server_and_run_only_its_script()
    {
        foreach (var name in ConsoleFile.LoadAll().Keys)
        {
            using var answer = await GetAsync($"/console/{name}");
            var policy = Assert.Single(answer.Headers.GetValues("Content-Security-Policy")).Split("; ").Select(one => one.Split(' ', 2)).ToDictionary(one => one[0], one => one[1]);
            Assert.Equal(("'none'", "'self'", "'self'", "'self' blob: data:", "'self'"), (policy["default-src"], policy["script-src"], policy["style-src"], policy["img-src"], policy["connect-src"]));
            Assert.Equal(("'none'", "'none'", "'none'"), (policy["form-action"], policy["frame-ancestors"], policy["base-uri"]));
            Assert.Equal("nosniff", answer.Headers.GetValues("X-Content-Type-Options").Single());
            Assert.Equal("no-referrer", answer.Headers.GetValues("Referrer-Policy").Single());
            Assert.Contains("camera=(self)", answer.Headers.GetValues("Permissions-Policy").Single(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_browser_keeps_the_files_and_asks_whether_they_are_of_now()
    {
        using var first = await GetAsync("/console/console.js");
        Assert.Equal("no-cache", first.Headers.CacheControl!.ToString());
        Assert.False(first.Headers.Contains("Pragma"));
        var tag = first.Headers.ETag!;

        using var again = await GetAsync("/console/console.js", request => request.Headers.IfNoneMatch.Add(tag));
        Assert.Equal((HttpStatusCode.NotModified, tag), (again.StatusCode, again.Headers.ETag));
        Assert.Empty(await again.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
        using var other = await GetAsync("/console/console.js", request => request.Headers.IfNoneMatch.Add(new EntityTagHeaderValue("\"other\"")));
        Assert.Equal(HttpStatusCode.OK, other.StatusCode);
    }

    [Fact]
    public async Task Who_takes_Brotli_gets_it_under_a_tag_of_its_own()
    {
        using var plain = await GetAsync("/console/console.js", request => request.Headers.TryAddWithoutValidation("Accept-Encoding", "gzip, br;q=0"));
        using var compressed = await GetAsync("/console/console.js", request => request.Headers.TryAddWithoutValidation("Accept-Encoding", "gzip, deflate, br"));
        Assert.Empty(plain.Content.Headers.ContentEncoding);
        Assert.Equal("br", compressed.Content.Headers.ContentEncoding.Single());
        Assert.NotEqual(plain.Headers.ETag, compressed.Headers.ETag);
        Assert.Equal("Accept-Encoding", plain.Headers.Vary.Single());

        var small = await compressed.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
        using var reader = new StreamReader(new BrotliStream(new MemoryStream(small), CompressionMode.Decompress), Encoding.UTF8);
        var text = await plain.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.Equal(text, await reader.ReadToEndAsync(TestContext.Current.CancellationToken));
        Assert.InRange(small.Length, 1, text.Length / 2);
    }

    [Theory]
    [InlineData("/console/none.js")]
    [InlineData("/console/index.htm")]
    [InlineData("/console/%2e%2e%2fconfigs")]
    [InlineData("/console/..%5c..%5cconfigs")]
    [InlineData("/console/%00")]
    [InlineData("/console/console.js.map")]
    public async Task What_is_no_file_of_the_page_is_not_found(string path)
    {
        var answer = await SendRawAsync($"GET {path} HTTP/1.1\r\nHost: serve\r\nConnection: close\r\n\r\n");
        Assert.Matches("^HTTP/1.1 40[04] ", answer);
    }

    [Theory]
    [InlineData("GET", "/models")]
    [InlineData("GET", "/console/../models")]
    [InlineData("GET", "/console/x/y")]
    [InlineData("POST", "/console/console.js")]
    [InlineData("POST", "/console/predictions/fashion-vit/1.0")]
    [InlineData("GET", "/consolex")]
    public async Task Everything_but_the_page_still_asks_for_a_token(string verb, string path)
    {
        var answer = await SendRawAsync($"{verb} {path} HTTP/1.1\r\nHost: serve\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 401 ", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Other_listeners_have_no_console()
    {
        foreach (var listener in (Listener[])[server.Host.Inference, server.Host.Metrics])
        {
            using var answer = await server.Client.GetAsync(listener.Url + "/console/", TestContext.Current.CancellationToken);
            Assert.Contains(answer.StatusCode, (HttpStatusCode[])[HttpStatusCode.NotFound, HttpStatusCode.Unauthorized]);
        }
    }

    [Fact]
    public void All_files_together_are_less_than_200_kB() => Assert.InRange(ConsoleFile.LoadAll().Values.Sum(file => file.Content.Length), 1, Limit);

    private async Task<HttpResponseMessage> GetAsync(string path, Action<HttpRequestMessage>? prepare = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, server.Host.Management.Url + path);
        prepare?.Invoke(request);
        return await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
    }

    // As it is: HttpClient would tidy the path.
    private async Task<string> SendRawAsync(string request)
    {
        using var client = await RawClient.ConnectAsync(server.Host.Management.Url);
        await client.SendAsync(Encoding.ASCII.GetBytes(request));
        return await client.ReadToEndAsync();
    }
}
