using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Serve.Core.Configuration;
using Serve.Core.Configuration.Tokens;
using Serve.Core.Security;

namespace Serve.Tests.Core.Security;

public sealed class TokenSetTests : IDisposable
{
    private const string First = "the-first-token-0001", Second = "the-second-token-002";

    private readonly TemporaryFolder _folder = new();
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 28, 12, 0, 0, TimeSpan.Zero));
    private readonly LogLines _log = new();
    private readonly WatchedFiles _files;
    private readonly TokenSet _tokens;

    public TokenSetTests() => (_files, _tokens) = (new WatchedFiles(_time, _log), new TokenSet(_time));

    public void Dispose()
    {
        _files.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Tokens_of_all_sources_are_valid()
    {
        var file = _folder.Write("tokens", $"# the old one\n{First}\r\n\n  {Second}  \n");
        Load($"file:{file}", "env:TOKENS", AccessToken.HashText("the-hashed-token-003"));

        Assert.All((string[])[First, Second, "from-the-environment", "the-hashed-token-003"], token => Assert.True(Accepts(token)));
        Assert.False(Accepts("another-token-000000"));
    }

    [Fact]
    public void A_token_is_valid_until_it_expires()
    {
        var file = _folder.Write("tokens", $"{First} expires=2026-11-28T13:00:00Z\n{Second}\n");
        Load($"file:{file}");

        _time.Advance(TimeSpan.FromMinutes(60) - TimeSpan.FromMilliseconds(1));
        Assert.True(Accepts(First));
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.False(Accepts(First));
        Assert.True(Accepts(Second));
    }

    [Fact]
    public void When_the_first_configured_token_expires_is_told_and_told_again_when_that_changes()
    {
        List<DateTimeOffset?> told = [];
        var tokens = new TokenSet(_time) { ExpiryChanged = told.Add };
        var file = _folder.Write("tokens", First);
        var first = new DateTimeOffset(2026, 12, 1, 0, 0, 0, TimeSpan.Zero);
        tokens.Load("inferenceTokens", [$"file:{file}"], _files, _ => null);
        File.WriteAllText(file, $"{First} expires=2026-12-24\n{Second} expires=2026-12-01\nthe-third-token-0003\n");
        Tick();

        // The key file's are renewed all the time.
        tokens.Set("keyFile", [new AccessToken(new byte[AccessToken.HashBytes], _time.GetUtcNow())]);
        File.WriteAllText(file, $"{First} expires=2026-12-24\n");
        Tick();
        Assert.Equal([null, first, first.AddDays(23)], told);
    }

    [Fact]
    public void A_file_that_changes_is_read_again_and_both_tokens_overlap()
    {
        var file = _folder.Write("tokens", First);
        Load($"file:{file}");

        File.WriteAllText(file, $"{First}\n{Second}");
        Assert.False(Accepts(Second));
        Tick();
        Assert.True(Accepts(First) && Accepts(Second));

        File.WriteAllText(file, Second);
        Tick();
        Assert.False(Accepts(First));
        Assert.True(Accepts(Second));

        File.WriteAllText(file, "");
        Tick();
        Assert.False(Accepts(Second));
        Assert.Equal(3, _log.Lines.Count(line => line.Contains("changed, and read again", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_link_that_moves_is_a_change()
    {
        var (old, next) = (_folder.Write("old", First), _folder.Write("new", Second));
        var link = _folder["link"];
        File.CreateSymbolicLink(link, old);
        Load($"file:{link}");

        File.Delete(link);
        File.CreateSymbolicLink(link, next);
        Tick();
        Assert.True(Accepts(Second));
        Assert.False(Accepts(First));
    }

    [Fact]
    public void A_file_that_becomes_wrong_or_goes_changes_nothing_and_is_told_once()
    {
        var file = _folder.Write("tokens", First);
        Load($"file:{file}");

        File.WriteAllText(file, "secret");
        Tick();
        Tick();
        Assert.True(Accepts(First));
        File.Delete(file);
        Tick();
        Assert.True(Accepts(First));

        Assert.Equal(2, _log.Lines.Count);
        Assert.Contains($"{file}:1:1: the token has 6 letters", _log.Lines[0], StringComparison.Ordinal);
        Assert.All(_log.Lines, line => Assert.DoesNotContain("secret", line, StringComparison.Ordinal));

        File.WriteAllText(file, Second);
        Tick();
        Assert.True(Accepts(Second));
    }

    [Fact]
    public void What_is_not_there_at_the_start_is_an_error_that_names_it()
    {
        Assert.Contains("there is no such file", Fails($"file:{_folder["none"]}"), StringComparison.Ordinal);
        Assert.Contains("the environment variable NONE is not set", Fails("env:NONE"), StringComparison.Ordinal);
        Assert.Contains("environment variable WRONG:2:1: the token has 6 letters", Fails("env:WRONG"), StringComparison.Ordinal);
    }

    private string Fails(string source)
    {
        var message = Assert.Throws<ConfigurationException>(() => Load(source)).Message;
        Assert.DoesNotContain("secret", message, StringComparison.Ordinal);
        return message;
    }

    private void Tick() => _time.Advance(TimeSpan.FromSeconds(1));

    private void Load(params string[] sources) => _tokens.Load("inferenceTokens", sources, _files, name => name switch
    {
        "TOKENS" => "from-the-environment",
        "WRONG" => "from-the-environment\nsecret",
        _ => null,
    });

    private bool Accepts(string token)
    {
        Span<byte> hash = stackalloc byte[AccessToken.HashBytes];
        return AccessToken.TryHash(token, hash) && _tokens.Accepts(hash);
    }

    private sealed class LogLines : ILogger
    {
        public List<string> Lines { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Lines.Add(formatter(state, exception));
    }
}
