using System.Net;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Models.Sources;
using Serve.Management.Sources;

namespace Serve.Tests.Management.Sources;

/// <summary>Fetching from other machines: only from where it is allowed, and whole or not at all.</summary>
public sealed class HttpArchiveFetcherTests : IDisposable
{
    private static readonly byte[] Archive = [.. Enumerable.Range(0, 100_000).Select(i => (byte)(i * i))];

    private readonly TemporaryFolder _folder = new();
    private readonly FileHost _host = new();

    public void Dispose()
    {
        _host.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task An_archive_arrives_whole_under_its_name()
    {
        _host.Serve("/models/m.mar", Archive);

        Assert.Equal("m.mar", await FetchAsync(_host.Url("/models/m.mar?signature=secret"), sha256: SHA256.HashData(Archive)));

        Assert.Equal(Archive, File.ReadAllBytes(_folder["m.mar"]));
    }

    [Fact]
    public async Task An_archive_that_is_there_is_not_fetched_again()
    {
        _host.Serve("/m.mar", Archive);
        await FetchAsync(_host.Url("/m.mar"));

        var error = await Assert.ThrowsAsync<InternalServerException>(() => FetchAsync(_host.Url("/m.mar")));

        Assert.Equal("Model file already exists m.mar", error.Message);
        Assert.Single(_host.Requests);
    }

    [Fact]
    public async Task A_wrong_sum_leaves_nothing()
    {
        _host.Serve("/m.mar", Archive);
        var error = await Assert.ThrowsAsync<InvalidModelException>(() => FetchAsync(_host.Url("/m.mar"), sha256: new byte[32]));
        Assert.Contains($"its SHA-256 is {Convert.ToHexStringLower(SHA256.HashData(Archive))}, and should be 0000", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public async Task A_broken_answer_is_an_error_and_leaves_nothing()
    {
        _host.Serve("/short.mar", Archive[..1000], declaredLength: Archive.Length);
        _host.Answer("/chunked.mar", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n", Archive[..500]);
        _host.Answer("/garbage.mar", "what is this? it is no answer\r\n\r\n", []);
        _host.Serve("/declared-large.mar", Archive[..10], declaredLength: 2_000_000_000);
        _host.Answer("/large.mar", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", new byte[1 << 20]);
        _host.Redirect("/loop.mar", "/loop.mar");
        _host.Answer("/nowhere.mar", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", []);

        await FailsAsync("/missing.mar", "The server answered 404 Not Found");
        await FailsAsync("/short.mar", "prematurely");
        await FailsAsync("/chunked.mar", "prematurely");
        await FailsAsync("/garbage.mar", "invalid");
        await FailsAsync("/declared-large.mar", "It has more than 500000 bytes (maxDownloadSize)");
        await FailsAsync("/large.mar", "It has more than 500000 bytes (maxDownloadSize)");
        await FailsAsync("/loop.mar", "It redirects more than 5 times");
        await FailsAsync("/nowhere.mar", "It redirects to nowhere");
        await FailsAsync("/models/", "The URL's path must end in the name of a .mar");
        await FailsAsync("/text.txt", "The URL's path must end in the name of a .mar");
        await FailsAsync("/a%20b.mar", "The file's name \"a b\" has characters other than");
        await FailsAsync("/%2e%2e%2fb.mar", "The file's name");
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public async Task A_server_that_does_not_answer_in_time_is_given_up()
    {
        var time = new FakeTimeProvider();
        _host.Hang("/m.mar");
        var fetching = FetchAsync(_host.Url("/m.mar"), time: time);
        await EndToEnd.Eventually.HoldsAsync("the request is there", () => _host.Requests.Any());

        time.Advance(TimeSpan.FromSeconds(601));

        var error = await Assert.ThrowsAsync<DownloadArchiveException>(() => fetching);
        Assert.Contains("It took longer than 600 s (downloadTimeout)", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public async Task A_connection_that_is_reset_is_the_hosts_fault_and_leaves_nothing()
    {
        _host.Stall("/m.mar", $"HTTP/1.1 200 OK\r\nContent-Length: {Archive.Length}\r\n\r\n", Archive[..50_000]);
        var fetching = FetchAsync(_host.Url("/m.mar"));
        await EndToEnd.Eventually.HoldsAsync("some of it has come", () => Directory.EnumerateFiles(_folder.Path).Any(file => new FileInfo(file).Length > 0));

        _host.Reset();

        var error = await Assert.ThrowsAsync<DownloadArchiveException>(() => fetching);
        Assert.StartsWith("Failed to download archive from: http://127.0.0.1", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public async Task A_client_that_leaves_stops_it()
    {
        using var gone = new CancellationTokenSource();
        _host.Hang("/m.mar");
        var fetching = FetchAsync(_host.Url("/m.mar"), cancellation: gone.Token);
        await EndToEnd.Eventually.HoldsAsync("the request is there", () => _host.Requests.Any());

        await gone.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => fetching);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public async Task A_redirect_is_checked_as_the_first_url_was()
    {
        _host.Serve("/elsewhere/m.mar", Archive);
        _host.Serve("/models/real.mar", Archive);
        _host.Redirect("/models/good.mar", "real.mar", 307);
        _host.Redirect("/models/bad.mar", "/elsewhere/m.mar");
        _host.Redirect("/models/user.mar", $"http://127.0.0.1:{_host.Port}@evil.example/models/x.mar");
        _host.Redirect("/models/file.mar", "file:///etc/passwd");
        _host.Redirect("/models/name.mar", $"http://localhost:{_host.Port}/models/real.mar");
        string[] allowed = [$"http://(127\\.0\\.0\\.1|localhost):{_host.Port}/models/.*"];

        Assert.Equal("good.mar", await FetchAsync(_host.Url("/models/good.mar"), allowed));
        await Assert.ThrowsAsync<ModelNotFoundException>(() => FetchAsync(_host.Url("/models/bad.mar"), allowed));
        await Assert.ThrowsAsync<BadRequestException>(() => FetchAsync(_host.Url("/models/user.mar"), allowed));
        Assert.Contains("which is not https", (await Assert.ThrowsAsync<DownloadArchiveException>(() => FetchAsync(_host.Url("/models/file.mar"), allowed))).Message, StringComparison.Ordinal);

        // Allowed by its pattern, but its address is private, and only the other name of it may have one.
        var name = await Assert.ThrowsAsync<DownloadArchiveException>(() => FetchAsync(_host.Url("/models/name.mar"), allowed));
        Assert.Contains("The host localhost has no public address; name it in allowedPrivateHosts", name.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("/elsewhere/m.mar", _host.Requests);
        Assert.Equal(["good.mar"], Directory.EnumerateFiles(_folder.Path).Select(Path.GetFileName));
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("localhost")]
    [InlineData("[::1]")]
    [InlineData("[::ffff:127.0.0.1]")]
    [InlineData("0.0.0.0")]
    [InlineData("2130706433")]
    [InlineData("0x7f.1")]
    public async Task An_address_that_is_not_public_is_not_connected_to(string host)
    {
        var url = _host.Url("/m.mar", host);
        var error = await Assert.ThrowsAsync<DownloadArchiveException>(() => FetchAsync(url, [".*"], privateHosts: []));
        Assert.Contains("has no public address", error.Message, StringComparison.Ordinal);
        Assert.Empty(_host.Requests);
    }

    [Theory]
    [InlineData("8.8.8.8", true)]
    [InlineData("2606:4700:4700::1111", true)]
    [InlineData("64:ff9b::808:808", true)]
    [InlineData("10.1.2.3", false)]
    [InlineData("172.31.255.255", false)]
    [InlineData("172.32.0.0", true)]
    [InlineData("192.168.0.1", false)]
    [InlineData("169.254.169.254", false)]
    [InlineData("100.100.100.200", false)]
    [InlineData("168.63.129.16", false)]
    [InlineData("224.0.0.1", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("::", false)]
    [InlineData("::1", false)]
    [InlineData("::ffff:10.0.0.1", false)]
    [InlineData("::ffff:8.8.8.8", true)]
    [InlineData("::10.0.0.1", false)]
    [InlineData("fd00:ec2::254", false)]
    [InlineData("fe80::1", false)]
    [InlineData("ff02::1", false)]
    [InlineData("64:ff9b::a9fe:a9fe", false)]
    [InlineData("2002:a9fe:a9fe::1", false)]
    [InlineData("2001:0:4136:e378::1", false)]
    public void Which_addresses_are_public(string address, bool isPublic) => Assert.Equal(isPublic, AddressRules.IsPublic(IPAddress.Parse(address)));

    private async Task FailsAsync(string path, string reason)
    {
        var url = _host.Url(path);
        var error = await Assert.ThrowsAsync<DownloadArchiveException>(() => FetchAsync(url));
        Assert.Equal(400, error.Status);
        Assert.StartsWith("Failed to download archive from: http://127.0.0.1", error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    private Task<string> FetchAsync(string url, string[]? allowed = null, string[]? privateHosts = null, byte[]? sha256 = null, TimeProvider? time = null, CancellationToken cancellation = default)
    {
        var configuration = new ServerConfiguration { AllowedUrls = allowed ?? [".*"], AllowedPrivateHosts = privateHosts ?? ["127.0.0.1"], MaxDownloadSize = 500_000 };
        var fetcher = new HttpArchiveFetcher(configuration, time ?? TimeProvider.System, NullLogger.Instance);
        return new Downloads(_folder.Path, fetcher).FetchAsync(new Uri(url), url, sha256, cancellation);
    }
}
