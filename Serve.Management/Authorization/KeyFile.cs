using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Serve.Core.Configuration.Tokens;
using Serve.Core.Security;

namespace Serve.Management.Authorization;

/// <summary>
/// TorchServe's way with tokens: the server makes them when it starts, and writes them to a file that only its user can
/// read. Those for inference and management are valid for an hour; who has the third, the API key, gets new ones from
/// <c>/token</c>, which replace the old ones at once. The file goes when the server ends.
/// </summary>
internal sealed class KeyFile : IDisposable
{
    private const string Source = "keyFile";

    private readonly Lock _gate = new();
    private readonly string _path;
    private readonly TimeSpan _lifetime;
    private readonly TimeProvider _time;
    private readonly IReadOnlyDictionary<string, TokenSet> _sets;

    /// <summary>What is in the file. In the clear, as it is there.</summary>
    private Dictionary<string, KeyEntry> _entries = [];

    /// <summary>Makes all tokens and writes the file.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">Likewise.</exception>
    public KeyFile(string path, TimeSpan lifetime, TokenSet inference, TokenSet management, TimeProvider time)
    {
        (_path, _lifetime, _time) = (path, lifetime, time);
        _sets = new Dictionary<string, TokenSet> { ["management"] = management, ["inference"] = inference, ["token"] = Api };
        Replace(_sets.Keys);
    }

    /// <summary>The key that opens <c>/token</c>.</summary>
    public TokenSet Api { get; } = new(TimeProvider.System);

    /// <summary>Replaces one token.</summary>
    /// <param name="type"><c>management</c>, <c>inference</c> or <c>token</c>.</param>
    /// <returns>False: there is no such one.</returns>
    /// <exception cref="IOException">The file cannot be written: the old one stays valid.</exception>
    /// <exception cref="UnauthorizedAccessException">Likewise.</exception>
    public bool Renew(string? type)
    {
        if (type is null || !_sets.ContainsKey(type)) return false;
        lock (_gate) Replace([type]);
        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        try
        {
            File.Delete(_path);
        }
        catch (DirectoryNotFoundException)
        {
            // Gone with its folder.
        }
    }

    // In force only when they stand in the file: tokens that nobody can read lock everybody out.
    private void Replace(IEnumerable<string> types)
    {
        var keys = types.Select(Make).ToList();
        var entries = new Dictionary<string, KeyEntry>(_entries);
        foreach (var (type, entry, _) in keys) entries[type] = entry;
        Write(new KeyFileBody(entries["management"], entries["inference"], entries["token"]));
        _entries = entries;
        foreach (var (type, _, token) in keys) _sets[type].Set(Source, [token]);
    }

    private (string Type, KeyEntry Entry, AccessToken Token) Make(string type)
    {
        var (key, isApi) = (AccessToken.NewText(), type == "token");
        DateTimeOffset? expires = isApi ? null : _time.GetUtcNow() + _lifetime;
        Span<byte> hash = stackalloc byte[AccessToken.HashBytes];
        AccessToken.TryHash(key, hash);
        return (type, new KeyEntry(key, expires?.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture)), new AccessToken(hash, expires));
    }

    // Moved into place: who reads it finds all of it, and at no moment can others read it.
    private void Write(KeyFileBody body)
    {
        var temporary = $"{_path}.{Environment.ProcessId}";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        File.Delete(temporary);
        try
        {
            using (var file = new FileStream(temporary, options)) JsonSerializer.Serialize(file, body, KeyFileJson.Default.KeyFileBody);
            File.Move(temporary, _path, overwrite: true);
        }
        catch
        {
            // Half a file, on a disk that has no room for it, with tokens that hold already.
            File.Delete(temporary);
            throw;
        }
    }
}

/// <summary>The file's content, as TorchServe writes it.</summary>
internal sealed record KeyFileBody(
    [property: JsonPropertyName("management")] KeyEntry Management,
    [property: JsonPropertyName("inference")] KeyEntry Inference,
    [property: JsonPropertyName("API")] KeyEntry Api);

/// <summary>One token of it.</summary>
internal sealed record KeyEntry(
    [property: JsonPropertyName("key")] string Key,
    [property: JsonPropertyName("expiration time")] string? Expires);

[JsonSourceGenerationOptions(WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(KeyFileBody))]
internal sealed partial class KeyFileJson : JsonSerializerContext;
