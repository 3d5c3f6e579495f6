using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Serve.Worker.Execution.Loading;

/// <summary>
/// Tells whether files are still what they were. A small file by all of its content; a large one by its size, the time of its
/// last change and samples of its content, because reading a gigabyte would take as long as what the answer saves.
/// </summary>
internal sealed class ContentFingerprint : IDisposable
{
    private const int WholeFileBytes = 4 << 20;
    private const int SampleBytes = 64 * 1024;
    private const long SampleDistance = 4L << 20;

    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    public void Add(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        _hash.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{bytes.Length}:")));
        _hash.AppendData(bytes);
    }

    /// <summary>Size, time and samples; of a small file all of it, and no time.</summary>
    public void AddFile(string path)
    {
        using var file = File.OpenHandle(path);
        var length = RandomAccess.GetLength(file);
        if (length > WholeFileBytes) Add(string.Create(CultureInfo.InvariantCulture, $"changed {File.GetLastWriteTimeUtc(path).Ticks}"));
        AddContent(file, length);
    }

    /// <summary>Size and samples alone: for a file whose times mean nothing.</summary>
    public void AddSamples(string path)
    {
        using var file = File.OpenHandle(path);
        AddContent(file, RandomAccess.GetLength(file));
    }

    /// <summary>In hexadecimal digits; begins anew.</summary>
    public string Finish() => Convert.ToHexStringLower(_hash.GetHashAndReset());

    public void Dispose() => _hash.Dispose();

    private void AddContent(Microsoft.Win32.SafeHandles.SafeFileHandle file, long length)
    {
        Add(string.Create(CultureInfo.InvariantCulture, $"bytes {length}"));
        var buffer = new byte[SampleBytes];
        var distance = length > WholeFileBytes ? SampleDistance : SampleBytes;
        for (long offset = 0; offset < length; offset += distance) AddPiece(file, offset, buffer);
        if (length > WholeFileBytes) AddPiece(file, length - SampleBytes, buffer);
    }

    private void AddPiece(Microsoft.Win32.SafeHandles.SafeFileHandle file, long offset, byte[] buffer)
    {
        var read = RandomAccess.Read(file, buffer, offset);
        _hash.AppendData(buffer, 0, read);
    }
}
