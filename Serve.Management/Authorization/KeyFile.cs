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
    private readonly Dictionary<string, KeyEntry> _entries = [];

    /// <summary>Makes all tokens and writes the file.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">Likewise.</exception>
    public KeyFile(string path, TimeSpan lifetime, TokenSet inference, TokenSet management, TimeProvider time)
    {
        (_path, _lifetime, _time) = (path, lifetime, time);
        _sets = new Dictionary<string, TokenSet> { ["management"] = management, ["inference"] = inference, ["token"] = Api };
        foreach (var type in _sets.Keys) Make(type);
        Write();
    }

    /// <summary>The key that opens <c>/token</c>.</summary>
    public TokenSet Api { get; } = new(TimeProvider.System);

    /// <summary>Replaces one token.</summary>
    /// <param name="type"><c>management</c>, <c>inference</c> or <c>token</c>.</param>
    /// <returns>False: there is no such one.</returns>
    public bool Renew(string? type)
    {
        if (type is null || !_sets.ContainsKey(type)) return false;
        lock (_gate)
        {
            Make(type);
            Write();
        }

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

    private void Make(string type)
    {
        var (key, isApi) = (AccessToken.NewText(), type == "token");
        DateTimeOffset? expires = isApi ? null : _time.GetUtcNow() + _lifetime;
        _entries[type] = new KeyEntry(key, expires?.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture));
        Span<byte> hash = stackalloc byte[AccessToken.HashBytes];
        AccessToken.TryHash(key, hash);
        _sets[type].Set(Source, [new AccessToken(hash, expires)]);
    }

    // Moved into place: who reads it finds all of it, and at no moment can others read it.
    private void Write()
    {
        var temporary = $"{_path}.{Environment.ProcessId}";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        File.Delete(temporary);
        using (var file = new FileStream(temporary, options))
        {
            JsonSerializer.Serialize(file, new KeyFileBody(_entries["management"], _entries["inference"], _entries["token"]), KeyFileJson.Default.KeyFileBody);
        }

        File.Move(temporary, _path, overwrite: true);
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
