using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.Extensions.Time.Testing;
using Serve.Core.Configuration.Tokens;
using Serve.Core.Security;
using Serve.Management.Authorization;

namespace Serve.Tests.Management;

public sealed class TokenGuardTests
{
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 28, 12, 0, 0, TimeSpan.Zero));

    [Fact]
    public void A_check_costs_no_garbage()
    {
        var token = AccessToken.NewText();
        var set = new TokenSet(_time);
        set.Set("a", [AccessToken.Parse(AccessToken.NewText(), out _)!, AccessToken.Parse(token, out _)!]);
        var guard = new TokenGuard(set, new TokenSet(_time));
        var context = new DefaultHttpContext();
        StringValues header = $"Bearer {token}";

        long before = 0;
        for (var i = 0; i < 2000; i++)
        {
            if (i == 1000) before = GC.GetAllocatedBytesForCurrentThread();
            context.Request.Headers.Authorization = header;
            if (!guard.Allows(context)) Assert.Fail("The token is valid.");
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Inference_asks_for_a_token_only_where_it_has_some_not_where_management_alone_has()
    {
        var management = new TokenGuard(new TokenSet(_time));

        Assert.True(new TokenGuard(new TokenSet(_time), new TokenSet(_time)) { OfManagement = management }.AsksForToken);
        Assert.False(new TokenGuard { OfManagement = management }.AsksForToken);
    }

    [Theory]
    [InlineData("/token", true)]
    [InlineData("/token/", true)]
    [InlineData("/Token", true)]
    [InlineData("/tokens", false)]
    [InlineData("/", false)]
    [InlineData("", false)]
    public void A_route_that_asks_by_itself_is_told_as_routing_tells_it(string path, bool isIt)
    {
        var context = new DefaultHttpContext();
        (context.Request.Method, context.Request.Path) = ("GET", path);

        Assert.Equal(isIt, new TokenGuard(new TokenSet(_time)) { OwnGuardPath = "/token" }.Allows(context));
        Assert.False(new TokenGuard(new TokenSet(_time)).Allows(context));
    }

    [Theory]
    [InlineData("/livez", true)]
    [InlineData("/livez/", true)]
    [InlineData("/Readyz", true)]
    [InlineData("/v2/health/ready/", true)]
    [InlineData("/livez/x", false)]
    [InlineData("/v2/health", false)]
    [InlineData("/inference.GRPCInferenceService/ServerLive", true)]
    [InlineData("/inference.grpcinferenceservice/serverlive", false)]
    [InlineData("/ping", false)]
    [InlineData("/", false)]
    [InlineData("", false)]
    public void A_probe_is_told_as_routing_tells_it(string path, bool isOpen)
    {
        var context = new DefaultHttpContext();
        (context.Request.Method, context.Request.Path) = ("GET", path);

        Assert.Equal(isOpen, new TokenGuard(new TokenSet(_time)).Allows(context));
    }

    [Fact]
    public void Tokens_of_a_key_file_are_valid_for_their_time_and_the_API_key_for_ever()
    {
        using var folder = new TemporaryFolder();
        var (inference, management) = (new TokenSet(_time), new TokenSet(_time));
        using var keys = new KeyFile(folder["key_file.json"], TimeSpan.FromMinutes(60), inference, management, _time);
        var (key, api) = (Key("inference"), Key("API"));
        Assert.Equal("2026-11-28T13:00:00.000000Z", EntryOf(folder["key_file.json"], "inference").GetProperty("expiration time").GetString());

        _time.Advance(TimeSpan.FromMinutes(60) - TimeSpan.FromTicks(1));
        Assert.True(Allows(inference, key));
        _time.Advance(TimeSpan.FromTicks(1));
        Assert.False(Allows(inference, key));
        _time.Advance(TimeSpan.FromDays(1000));
        Assert.True(Allows(keys.Api, api));

        Assert.True(keys.Renew("inference"));
        Assert.True(Allows(inference, Key("inference")));
        Assert.False(Allows(management, Key("management")));
        Assert.False(keys.Renew("nothing"));
        Assert.False(keys.Renew(null));

        string Key(string type) => KeyOf(folder["key_file.json"], type);
    }

    [Fact]
    public void Keys_that_cannot_be_written_do_not_replace_those_that_are_known()
    {
        using var disk = SmallDisk.Mount("256k");
        Assert.SkipWhen(disk is null, SmallDisk.NeedsRoot);
        var (path, inference) = (disk["key_file.json"], new TokenSet(_time));
        using var keys = new KeyFile(path, TimeSpan.FromMinutes(60), inference, new TokenSet(_time), _time);
        var written = File.ReadAllText(path);
        var fill = disk.Fill();

        foreach (var type in (string[])["inference", "token"]) Assert.ThrowsAny<IOException>(() => keys.Renew(type));
        Assert.Equal(written, File.ReadAllText(path));
        Assert.True(Allows(inference, KeyOf(path, "inference")));
        Assert.True(Allows(keys.Api, KeyOf(path, "API")));
        Assert.Equal([fill, path], Directory.GetFiles(disk.Path).Order());

        File.Delete(fill);
        Assert.True(keys.Renew("inference"));
        Assert.NotEqual(written, File.ReadAllText(path));
        Assert.True(Allows(inference, KeyOf(path, "inference")));
    }

    private static string KeyOf(string path, string type) => EntryOf(path, type).GetProperty("key").GetString()!;

    private static JsonElement EntryOf(string path, string type)
    {
        using var text = JsonDocument.Parse(File.ReadAllBytes(path));
        return text.RootElement.GetProperty(type).Clone();
    }

    private static bool Allows(TokenSet set, string token)
    {
        var context = new DefaultHttpContext();
        context.Request.Headers.Authorization = $"Bearer {token}";
        return new TokenGuard(set).Allows(context);
    }
}
