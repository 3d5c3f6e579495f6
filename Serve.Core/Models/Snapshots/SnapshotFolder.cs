using System.Globalization;
using System.IO.Hashing;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace Serve.Core.Models.Snapshots;

/// <summary>
/// The folder with the snapshots, the newest few of them. A file's first line has the checksum of the rest, so that a
/// damaged one is told, and the one before it is taken. One server at a time owns the folder.
/// </summary>
internal sealed partial class SnapshotFolder : IDisposable
{
    /// <summary>The folder in the model store, where the configuration does not name one.</summary>
    public const string DefaultName = ".snapshots";

    private const string Prefix = "registry-";
    private const string Suffix = ".snapshot";
    private const string Mark = "serve-snapshot 1 xxh128=";

    // As earlier builds wrote it.
    private const string EarlierMark = "serve-snapshot 1 sha256=";
    private const int Kept = 5;
    private const int MaxBytes = 64 << 20;

    private readonly string _folder;
    private readonly FileStream _lock;
    private readonly ILogger _log;
    private long _last;

    private SnapshotFolder(string folder, FileStream held, ILogger log)
    {
        (_folder, _lock, _log) = (folder, held, log);
        _last = Files().Select(file => file.Number).FirstOrDefault();
    }

    /// <summary>Where archives are kept that were fetched from elsewhere.</summary>
    public string Downloads => Path.Combine(_folder, "downloads");

    /// <summary>Takes a folder (mode 0700); makes it if it is not there.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="log">Where it logs.</param>
    /// <exception cref="IOException">It cannot be written, or another server has it.</exception>
    /// <exception cref="UnauthorizedAccessException">It cannot be written.</exception>
    public static SnapshotFolder Open(string folder, ILogger log)
    {
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(folder);
        else Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

        // Held until the process ends, however it ends.
        return new SnapshotFolder(folder, new FileStream(Path.Combine(folder, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None), log);
    }

    /// <summary>Whether a snapshot newer than the one that was read could not be: it may name files that no other one does.</summary>
    public bool HasDamaged { get; private set; }

    /// <summary>The newest snapshot that is whole; null if there is none.</summary>
    public RegistrySnapshot? Read()
    {
        foreach (var (path, _) in Files())
        {
            try
            {
                var snapshot = Parse(ReadFile(path));
                LogRead(_log, path, snapshot.Models.Count);
                return snapshot;
            }
            catch (Exception error) when (error is InvalidDataException or JsonException or IOException or UnauthorizedAccessException or NotSupportedException)
            {
                HasDamaged = true;
                LogDamaged(_log, path, error.Message);
            }
        }

        return null;
    }

    /// <summary>Writes the next snapshot; when this returns, it is on the disk. Called by one at a time.</summary>
    /// <exception cref="IOException">It could not be written; the one before it stays.</exception>
    /// <exception cref="UnauthorizedAccessException">Likewise.</exception>
    public void Write(RegistrySnapshot snapshot)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(snapshot, SnapshotJson.Default.RegistrySnapshot);
        byte[] text = [.. Encoding.ASCII.GetBytes($"{Mark}{Convert.ToHexStringLower(XxHash128.Hash(body))}\n"), .. body, (byte)'\n'];
        DurableFile.Write(Path.Combine(_folder, string.Create(CultureInfo.InvariantCulture, $"{Prefix}{_last + 1:D12}{Suffix}")), text);
        _last++;
        RemoveOld();
    }

    // What could not be removed is one file too many; the snapshot is on the disk.
    private void RemoveOld()
    {
        try
        {
            foreach (var (path, _) in Files().Skip(Kept)) File.Delete(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            LogKept(_log, error.Message);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _lock.Dispose();

    /// <summary>Reads a file's bytes.</summary>
    /// <exception cref="InvalidDataException">It is no snapshot, or damaged.</exception>
    /// <exception cref="JsonException">Likewise.</exception>
    internal static RegistrySnapshot Parse(ReadOnlySpan<byte> file)
    {
        var end = file.IndexOf((byte)'\n');
        var isEarlier = file.StartsWith(Encoding.ASCII.GetBytes(EarlierMark));
        if (end < 0 || !isEarlier && !file.StartsWith(Encoding.ASCII.GetBytes(Mark))) throw new InvalidDataException("it does not begin with the mark of a snapshot");

        var body = file[(end + 1)..];
        if (body.Length > 0 && body[^1] == '\n') body = body[..^1];
        var sum = Convert.ToHexStringLower(isEarlier ? SHA256.HashData(body) : XxHash128.Hash(body));
        if (Encoding.ASCII.GetString(file[Mark.Length..end]) != sum) throw new InvalidDataException($"its checksum is not the one in its first line, which would be {sum}");

        return JsonSerializer.Deserialize(body, SnapshotJson.Default.RegistrySnapshot) ?? throw new InvalidDataException("it is empty");
    }

    private static byte[] ReadFile(string path)
    {
        if (new FileInfo(path).Length > MaxBytes) throw new InvalidDataException($"it has more than {MaxBytes} bytes");
        return File.ReadAllBytes(path);
    }

    /// <summary>The snapshots, the newest first.</summary>
    private IEnumerable<(string Path, long Number)> Files() => Directory.EnumerateFiles(_folder, Prefix + "*" + Suffix)
        .Select(path => (path, long.TryParse(Path.GetFileName(path)[Prefix.Length..^Suffix.Length], NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : -1))
        .Where(file => file.Item2 >= 0)
        .OrderByDescending(file => file.Item2);

    [LoggerMessage(35, LogLevel.Information, "{Models} models were changed over the management API, says {Path}")]
    private static partial void LogRead(ILogger log, string path, int models);

    [LoggerMessage(36, LogLevel.Error, "the snapshot {Path} is damaged, the one before it is used: {Reason}")]
    private static partial void LogDamaged(ILogger log, string path, string reason);

    [LoggerMessage(72, LogLevel.Warning, "an old snapshot could not be removed: {Reason}")]
    private static partial void LogKept(ILogger log, string reason);
}
