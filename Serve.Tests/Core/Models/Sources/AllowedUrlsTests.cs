using System.Diagnostics;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Models.Sources;

namespace Serve.Tests.Core.Models.Sources;

public sealed class AllowedUrlsTests
{
    [Theory]
    [InlineData("https://models.example.com/m.mar", true)]
    [InlineData("https://models.example.com/a/b/m.mar?x=1", true)]
    [InlineData("HTTPS://MODELS.example.com/m.mar", true)]
    [InlineData("https://models.example.com.evil.net/m.mar", false)]
    [InlineData("https://evil.net/https://models.example.com/m.mar", false)]
    [InlineData("http://models.example.com/m.mar", false)]
    [InlineData("https://models.example.com:8443/m.mar", false)]
    public void A_pattern_is_for_the_whole_url(string url, bool isAllowed)
    {
        var allowed = new AllowedUrls([@"https://models\.example\.com/.*"]);
        var error = Record.Exception(() => allowed.Check(new Uri(url), url));
        if (isAllowed) Assert.Null(error);
        else Assert.StartsWith($"Given URL {AllowedUrls.Shown(url)} does not match any allowed URL(s)", Assert.IsType<ModelNotFoundException>(error).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_url_with_a_user_in_it_is_refused_whatever_the_pattern()
    {
        const string Url = "https://models.example.com:secret@evil.net/m.mar";
        var error = Assert.Throws<BadRequestException>(() => new AllowedUrls([".*"]).Check(new Uri(Url), Url));
        Assert.DoesNotContain("secret", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_patterns_nothing_is_allowed_and_that_is_said()
    {
        var error = Assert.Throws<ModelNotFoundException>(() => new AllowedUrls([]).Check(new Uri("https://a/m.mar"), "https://a/m.mar"));
        Assert.Equal("Given URL https://a/m.mar does not match any allowed URL(s). The server's configuration allows none (allowedUrls)", error.Message);
    }

    [Fact]
    public void A_pattern_that_would_take_for_ever_elsewhere_does_not()
    {
        var start = Stopwatch.GetTimestamp();
        Assert.Throws<ModelNotFoundException>(() => new AllowedUrls(["https://(a+)+/x"]).Check(new Uri("https://" + new string('a', 60) + "/y"), "y"));
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(10));
    }

    [Theory]
    [InlineData("https://a/m.mar?X-Amz-Signature=1", "https://a/m.mar?…")]
    [InlineData("https://user:word@a/m.mar", "https://…@a/m.mar")]
    [InlineData("https://a/b@c.mar", "https://a/b@c.mar")]
    [InlineData("m.mar", "m.mar")]
    public void Secrets_of_a_url_are_not_shown(string url, string shown) => Assert.Equal(shown, AllowedUrls.Shown(url));

    [Theory]
    [InlineData("[\"https://(\"]", "https://( is no regular expression: ")]
    [InlineData("['(?=a)b']", "(?=a)b is no regular expression: ")]
    public void A_wrong_pattern_is_a_problem_of_the_configuration(string yaml, string problem)
    {
        var error = Assert.Throws<ConfigurationException>(() => ServerConfigurationReader.ReadText($"allowedUrls: {yaml}", "/serve.yaml"));
        Assert.Contains($"allowedUrls: {problem}", error.Message, StringComparison.Ordinal);
    }
}
