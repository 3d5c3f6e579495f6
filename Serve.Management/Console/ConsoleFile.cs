using System.IO.Compression;
using System.IO.Hashing;

namespace Serve.Management.Console;

/// <summary>One file of the console's page, as it is sent: by itself, or in Brotli for those who take it. Immutable.</summary>
internal sealed class ConsoleFile
{
    private readonly Lazy<byte[]> _brotli;

    private ConsoleFile(string name, byte[] content)
    {
        (Name, Content) = (name, content);
        ContentType = Path.GetExtension(name) switch
        {
            ".html" => "text/html; charset=utf-8",
            ".js" => "text/javascript; charset=utf-8",
            ".css" => "text/css; charset=utf-8",
            ".svg" => "image/svg+xml",
            ".txt" => "text/plain; charset=utf-8",
            var other => throw new InvalidOperationException($"The console's {name}: no content type is known for {other}."),
        };
        var hash = Convert.ToHexStringLower(XxHash3.Hash(content));
        (ETag, BrotliETag) = ($"\"{hash}\"", $"\"{hash}-br\"");

        // When somebody asks for it the first time: most servers' consoles are never opened.
        _brotli = new Lazy<byte[]>(Compress);
    }

    /// <summary>For example <c>console.js</c>.</summary>
    public string Name { get; }

    public string ContentType { get; }

    public byte[] Content { get; }

    public byte[] Brotli => _brotli.Value;

    /// <summary>Of <see cref="Content"/>.</summary>
    public string ETag { get; }

    /// <summary>Of <see cref="Brotli"/>: other bytes, another tag (RFC 9110, section 8.8.3.3).</summary>
    public string BrotliETag { get; }

    /// <summary>The files that were built into this assembly, by name.</summary>
    public static IReadOnlyDictionary<string, ConsoleFile> LoadAll()
    {
        const string folder = "Console/";
        var assembly = typeof(ConsoleFile).Assembly;
        return assembly.GetManifestResourceNames().Where(name => name.StartsWith(folder, StringComparison.Ordinal)).Select(name =>
        {
            using var stream = assembly.GetManifestResourceStream(name)!;
            var content = new byte[stream.Length];
            stream.ReadExactly(content);
            return new ConsoleFile(name[folder.Length..], content);
        }).ToDictionary(file => file.Name, StringComparer.Ordinal);
    }

    private byte[] Compress()
    {
        using var compressed = new MemoryStream();
        using (var brotli = new BrotliStream(compressed, CompressionLevel.Optimal, leaveOpen: true)) brotli.Write(Content);
        return compressed.ToArray();
    }
}
