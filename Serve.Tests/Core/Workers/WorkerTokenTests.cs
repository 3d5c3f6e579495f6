using Serve.Core.Workers;

namespace Serve.Tests.Core.Workers;

public sealed class WorkerTokenTests
{
    [Fact]
    public void A_token_is_itself_and_nothing_else()
    {
        var token = WorkerToken.New();

        Assert.Matches("^[0-9A-F]{64}$", token.Text);
        Assert.True(token.Is(token.Text));
        foreach (var other in (string[])["", token.Text[..^1], token.Text + "0", token.Text.ToLowerInvariant() + "x", new string('0', 64), new string('é', 64), "\ud800"]) Assert.False(token.Is(other));
    }

    [Fact]
    public void No_two_are_alike() => Assert.Equal(1000, Enumerable.Range(0, 1000).Select(_ => WorkerToken.New().Text).Distinct().Count());
}
