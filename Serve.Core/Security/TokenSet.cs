using System.Text;
using Serve.Core.Configuration;
using Serve.Core.Configuration.Tokens;

namespace Serve.Core.Security;

/// <summary>
/// The tokens that are valid for one interface, from all their sources. Several are at a time: while a token is replaced,
/// clients may send the old one and the new one.
/// </summary>
/// <param name="time">The clock, for tokens that expire.</param>
public sealed class TokenSet(TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, IReadOnlyList<AccessToken>> _bySource = new(StringComparer.Ordinal);

    // Those of the configuration. The key file's are renewed all the time, which is nothing to be told of.
    private readonly HashSet<string> _configured = new(StringComparer.Ordinal);

    // Replaced whole: requests read it without the lock.
    private volatile AccessToken[] _all = [];

    /// <summary>Told when the first of the configuration's tokens expires, at first and whenever that changes; null: none does.</summary>
    public Action<DateTimeOffset?>? ExpiryChanged { get; init; }

    /// <summary>Reads what a configuration names; files are read again when they change.</summary>
    /// <param name="key">The configuration's key, for messages.</param>
    /// <param name="sources">Its items.</param>
    /// <param name="files">Watches the files.</param>
    /// <param name="variable">Gives a variable's value.</param>
    /// <exception cref="ConfigurationException">A file or variable is not there, or has something else than tokens.</exception>
    public void Load(string key, IReadOnlyList<string> sources, WatchedFiles files, Func<string, string?> variable)
    {
        ArgumentNullException.ThrowIfNull(sources);
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(variable);
        foreach (var text in sources)
        {
            var source = TokenSource.Parse(text, out var fault) ?? throw Problem(key, fault);
            switch (source.Kind)
            {
                case TokenSourceKind.File:
                    Watch(key, source.Value, files);
                    break;
                case TokenSourceKind.Variable:
                    var value = variable(source.Value);
                    if (string.IsNullOrWhiteSpace(value)) throw Problem(key, $"the environment variable {source.Value} is not set");
                    SetConfigured(text, TokenLines.Read(value, $"environment variable {source.Value}"));
                    break;
                default:
                    SetConfigured(text, TokenLines.Read(source.Value, key));
                    break;
            }
        }
    }

    /// <summary>Replaces the tokens of one source.</summary>
    public void Set(string source, IReadOnlyList<AccessToken> tokens)
    {
        lock (_gate)
        {
            _bySource[source] = tokens;
            _all = [.. _bySource.Values.SelectMany(some => some)];
        }
    }

    /// <summary>Whether a token is valid now. Hot path: compares with every one, so that nothing is told by how long it takes.</summary>
    /// <param name="hash">Its hash, by <see cref="AccessToken.TryHash"/>.</param>
    public bool Accepts(ReadOnlySpan<byte> hash)
    {
        var found = false;
        foreach (var token in _all) found |= token.Is(hash) & (token.Expires is not { } expires || time.GetUtcNow() < expires);
        return found;
    }

    private void SetConfigured(string source, IReadOnlyList<AccessToken> tokens)
    {
        Set(source, tokens);
        lock (_gate)
        {
            _configured.Add(source);
            ExpiryChanged?.Invoke(_configured.SelectMany(some => _bySource[some]).Min(token => token.Expires));
        }
    }

    private void Watch(string key, string path, WatchedFiles files)
    {
        try
        {
            files.Add([path], contents => SetConfigured(path, TokenLines.Read(Encoding.UTF8.GetString(contents[0]), path)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Problem(key, e is FileNotFoundException or DirectoryNotFoundException ? $"{path}: there is no such file" : e.Message);
        }
    }

    private static ConfigurationException Problem(string key, string message) => new([new ConfigurationProblem(new ConfigurationOrigin(key), "", message)]);
}
