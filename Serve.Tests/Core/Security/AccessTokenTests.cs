using Serve.Core.Configuration.Tokens;

namespace Serve.Tests.Core.Security;

public sealed class AccessTokenTests
{
    private const string Token = "a-token-of-some-length";

    [Fact]
    public void A_token_and_its_hash_are_the_same()
    {
        var written = AccessToken.HashText(Token);
        var (byText, byHash) = (AccessToken.Parse(Token, out _)!, AccessToken.Parse(written, out _)!);

        Assert.True(byText.Is(HashOf(Token)));
        Assert.True(byHash.Is(HashOf(Token)));
        Assert.False(byText.Is(HashOf(Token + "x")));
        Assert.Equal(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData("a-token-of-some-length"u8)), written["sha256:".Length..]);
    }

    [Theory]
    [InlineData("2026-12-31", "2026-12-31T00:00:00Z")]
    [InlineData("2026-12-31T18:00Z", "2026-12-31T18:00:00Z")]
    [InlineData("2026-12-31T18:00:00+02:00", "2026-12-31T16:00:00Z")]
    [InlineData("2026-12-31T18:00:00.5Z", "2026-12-31T18:00:00.5Z")]
    public void An_expiry_may_be_given(string written, string meant) =>
        Assert.Equal(DateTimeOffset.Parse(meant, System.Globalization.CultureInfo.InvariantCulture), AccessToken.Parse($"{Token}  expires={written}", out _)!.Expires);

    [Theory]
    [InlineData("short-secret", "has 12 letters; it must be random and have at least 16")]
    [InlineData("a-secret-with-ünusual-letters", "letters that an HTTP header cannot carry")]
    [InlineData("a-secret-token-here expires=tomorrow", "something else than expires=TIME")]
    [InlineData("a-secret-token-here 12/31/2026", "something else than expires=TIME")]
    [InlineData("a-secret-token-here expires=2026-12-31 more", "one token")]
    [InlineData("sha256:secret", "64 hexadecimal digits")]
    [InlineData("", "one token")]
    public void A_fault_is_named_and_the_secret_is_not(string text, string fault)
    {
        Assert.Null(AccessToken.Parse(text, out var told));
        Assert.Contains(fault, told, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", told, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_too_long_is_no_token()
    {
        Assert.NotNull(AccessToken.Parse(new string('x', AccessToken.LongestText), out _));
        Assert.Null(AccessToken.Parse(new string('x', AccessToken.LongestText + 1), out _));
        Assert.False(AccessToken.TryHash(new string('x', AccessToken.LongestText + 1), new byte[AccessToken.HashBytes]));
        Assert.False(AccessToken.TryHash("", new byte[AccessToken.HashBytes]));
    }

    [Fact]
    public void New_tokens_are_tokens_and_differ()
    {
        var tokens = Enumerable.Range(0, 100).Select(_ => AccessToken.NewText()).ToHashSet();
        Assert.Equal(100, tokens.Count);
        Assert.All(tokens, token => Assert.NotNull(AccessToken.Parse(token, out _)));
    }

    [Theory]
    [InlineData("file:/run/secrets/token", TokenSourceKind.File, "/run/secrets/token")]
    [InlineData("env:ADMIN", TokenSourceKind.Variable, "ADMIN")]
    public void A_source_is_a_file_or_a_variable(string text, TokenSourceKind kind, string value)
    {
        var source = TokenSource.Parse(text, out _)!;
        Assert.Equal((kind, value, text), (source.Kind, source.Value, source.ToString()));
    }

    [Theory]
    [InlineData("a-secret-token-here")]
    [InlineData("file:")]
    [InlineData("env:")]
    [InlineData("sha256:secret")]
    [InlineData("")]
    public void A_token_is_no_source_and_not_told(string text)
    {
        Assert.Null(TokenSource.Parse(text, out var fault));
        Assert.NotEmpty(fault);
        Assert.DoesNotContain("secret", fault, StringComparison.Ordinal);
    }

    private static byte[] HashOf(string token)
    {
        var hash = new byte[AccessToken.HashBytes];
        Assert.True(AccessToken.TryHash(token, hash));
        return hash;
    }
}
