using System.Buffers.Binary;
using System.IO.Compression;
using Serve.Core.Errors;

namespace Serve.Core.Models;

/// <summary>
/// A <c>.mar</c>: a zip with a model's files and a manifest. It may come from anybody: every entry's path, kind, size and
/// ratio are checked before anything is written, and sizes and checksums again while it is.
/// </summary>
public static class ModelArchive
{
    /// <summary>The file extension.</summary>
    public const string Extension = ".mar";

    private const int CopyBytes = 128 << 10;

    /// <summary>What the list of entries may take: it is read whole before the entries can be counted.</summary>
    private const long MaxDirectoryBytes = 8 << 20;

    /// <summary>Reads an archive's manifest; null if it has none.</summary>
    /// <param name="path">The archive.</param>
    /// <param name="limits">What it may contain.</param>
    /// <exception cref="InvalidModelException">The archive or its manifest is damaged or not allowed.</exception>
    public static ModelManifest? ReadManifest(string path, ArchiveLimits limits)
    {
        return Open(path, limits, (entries, rules) =>
        {
            var entry = entries.FirstOrDefault(pair => pair.Path == ModelManifest.EntryName).Entry;
            if (entry is null) return null;
            if (entry.Length > 1 << 20) throw rules.Refuse($"its manifest has {entry.Length} bytes; at most {1 << 20} are allowed");

            using var bytes = new MemoryStream();
            Copy(entry, bytes, rules, CancellationToken.None);
            return ModelManifest.Read(bytes.ToArray(), $"{Path.GetFileName(path)}/{ModelManifest.EntryName}");
        });
    }

    /// <summary>Unpacks an archive: into a private folder beside the destination first, which becomes the destination when all of it is there and right.</summary>
    /// <param name="path">The archive.</param>
    /// <param name="destination">A folder that does not exist yet.</param>
    /// <param name="limits">What it may contain.</param>
    /// <param name="cancellation">Stops between two blocks; what was written is removed.</param>
    /// <exception cref="InvalidModelException">The archive is damaged or not allowed.</exception>
    /// <exception cref="OutOfResourcesException">There is no room for it.</exception>
    public static void Extract(string path, string destination, ArchiveLimits limits, CancellationToken cancellation = default)
    {
        var staging = $"{destination}.{Guid.NewGuid():N}.partial";
        try
        {
            Open<object?>(path, limits, (entries, rules) =>
            {
                CheckRoom(staging, rules.TotalBytes, path);
                MakePrivateFolder(staging);
                foreach (var (entry, relative) in entries) Write(entry, relative, staging, rules, cancellation);
                return null;
            });
            Directory.Move(staging, destination);
        }
        finally
        {
            if (Directory.Exists(staging)) Directory.Delete(staging, recursive: true);
        }
    }

    private static T Open<T>(string path, ArchiveLimits limits, Func<List<(ZipArchiveEntry Entry, string Path)>, ArchiveEntries, T> use)
    {
        var rules = new ArchiveEntries(Path.GetFileName(path), limits);
        try
        {
            using var file = File.OpenRead(path);
            CheckDirectory(file, rules);
            using var zip = new ZipArchive(file, ZipArchiveMode.Read);

            var entries = new List<(ZipArchiveEntry, string)>();
            foreach (var entry in zip.Entries)
            {
                CheckKind(entry, rules);
                entries.Add((entry, rules.Add(entry.FullName, entry.Length, entry.CompressedLength)));
            }

            return use(entries, rules);
        }
        catch (Exception error) when (error is InvalidDataException or EndOfStreamException or NotSupportedException or ArgumentException or OverflowException)
        {
            throw rules.Refuse($"it is damaged or no zip file ({error.Message.TrimEnd('.')})", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw rules.Refuse(error.Message.TrimEnd('.'), error);
        }
    }

    /// <summary>
    /// The library reads the whole list of entries into memory before anybody can count them, so its size is bounded here:
    /// it lies between the offset that the end record names and the end of the file.
    /// </summary>
    private static void CheckDirectory(FileStream file, ArchiveEntries rules)
    {
        const int EndRecord = 22;
        var tail = new byte[Math.Min(file.Length, EndRecord + ushort.MaxValue)];
        file.Seek(-tail.Length, SeekOrigin.End);
        file.ReadExactly(tail);
        file.Seek(0, SeekOrigin.Begin);

        var at = tail.AsSpan().LastIndexOf("PK\u0005\u0006"u8);
        if (at < 0 || at + EndRecord > tail.Length) throw rules.Refuse("it is no zip file (it has no end record)");

        long offset = BinaryPrimitives.ReadUInt32LittleEndian(tail.AsSpan(at + 16));
        if (offset == uint.MaxValue) offset = Zip64Offset(file, file.Length - tail.Length + at, rules);
        if (offset > file.Length || file.Length - offset > MaxDirectoryBytes) throw rules.Refuse($"its list of entries takes more than {MaxDirectoryBytes} bytes");
    }

    /// <summary>The list's offset in an archive above 4 GiB: the record before the end record points to the one that has it.</summary>
    private static long Zip64Offset(FileStream file, long endRecord, ArchiveEntries rules)
    {
        var locator = ReadAt(file, endRecord - 20, 20, rules);
        var record = ReadAt(file, BinaryPrimitives.ReadInt64LittleEndian(locator.AsSpan(8)), 56, rules);
        file.Seek(0, SeekOrigin.Begin);
        var offset = BinaryPrimitives.ReadInt64LittleEndian(record.AsSpan(48));
        return offset >= 0 ? offset : throw rules.Refuse("its zip64 record is damaged");
    }

    private static byte[] ReadAt(FileStream file, long position, int length, ArchiveEntries rules)
    {
        if (position < 0 || position > file.Length - length) throw rules.Refuse("its zip64 record is damaged");

        var bytes = new byte[length];
        file.Seek(position, SeekOrigin.Begin);
        file.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>Only files and folders: a link could lead out of the folder, and nobody needs a device file.</summary>
    private static void CheckKind(ZipArchiveEntry entry, ArchiveEntries rules)
    {
        const int FormatMask = 0xF000, File = 0x8000, Folder = 0x4000;
        var format = (entry.ExternalAttributes >> 16) & FormatMask;
        if (format is not (0 or File or Folder)) throw rules.Refuse($"{ArchiveEntries.Shown(entry.FullName)} is a link or another special file; only files and folders are allowed");
        if (entry.IsEncrypted) throw rules.Refuse($"{ArchiveEntries.Shown(entry.FullName)} is encrypted");
    }

    private static void CheckRoom(string folder, long bytes, string path)
    {
        var parent = Path.GetDirectoryName(Path.GetFullPath(folder))!;
        Directory.CreateDirectory(parent);
        var free = new DriveInfo(parent).AvailableFreeSpace;
        if (bytes > free) throw new OutOfResourcesException($"The archive {Path.GetFileName(path)} needs {bytes} bytes in {parent}, where {free} are free.");
    }

    private static void MakePrivateFolder(string folder)
    {
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(folder);
        else Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private static void Write(ZipArchiveEntry entry, string relative, string root, ArchiveEntries rules, CancellationToken cancellation)
    {
        var target = Path.GetFullPath(Path.Combine(root, relative));

        // The rules make this impossible; if they ever do not, nothing is written elsewhere.
        if (!target.StartsWith(Path.GetFullPath(root) + Path.DirectorySeparatorChar, StringComparison.Ordinal)) throw rules.Refuse($"{ArchiveEntries.Shown(entry.FullName)} leads out of its folder");

        if (entry.FullName.EndsWith('/'))
        {
            Directory.CreateDirectory(target);
            return;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        using (var file = new FileStream(target, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0 }))
        {
            Copy(entry, file, rules, cancellation);
        }

        // Workers keep what they make of a file as long as it has not changed: unpacking it again is no change.
        File.SetLastWriteTimeUtc(target, entry.LastWriteTime.UtcDateTime);
    }

    private static void Copy(ZipArchiveEntry entry, Stream target, ArchiveEntries rules, CancellationToken cancellation)
    {
        using var source = entry.Open();
        var buffer = new byte[(int)Math.Clamp(entry.Length, 1, CopyBytes)];
        var checksum = default(Crc32);
        var written = 0L;
        int read;
        while ((read = source.Read(buffer)) > 0)
        {
            cancellation.ThrowIfCancellationRequested();
            written += read;
            if (written > entry.Length) throw rules.Refuse($"{ArchiveEntries.Shown(entry.FullName)} unpacks to more than the {entry.Length} bytes that it declares");

            checksum.Add(buffer.AsSpan(0, read));
            target.Write(buffer, 0, read);
        }

        if (written != entry.Length) throw rules.Refuse($"{ArchiveEntries.Shown(entry.FullName)} unpacks to {written} bytes, and declares {entry.Length}");
        if (checksum.Value != entry.Crc32) throw rules.Refuse($"{ArchiveEntries.Shown(entry.FullName)} is damaged: its checksum is {checksum.Value:x8}, and should be {entry.Crc32:x8}");
    }
}
