using System.Buffers.Binary;
using System.IO.Compression;

namespace Serve.Core.Models.Archives;

/// <summary>The files of a zip. Its list of entries is checked whole before anything is written.</summary>
internal static class ZipFiles
{
    private const int CopyBytes = 128 << 10;

    /// <summary>What the list of entries may take: it is read whole before the entries can be counted.</summary>
    private const long MaxDirectoryBytes = 8 << 20;

    /// <summary>The manifest's bytes; null if there is none.</summary>
    public static byte[]? ReadManifest(FileStream file, ArchiveEntries rules)
    {
        using var zip = Open(file, rules, out var entries);
        var entry = entries.FirstOrDefault(pair => pair.Path == ModelManifest.EntryName).Entry;
        if (entry is null) return null;
        rules.CheckManifest(entry.Length);

        using var bytes = new MemoryStream();
        Copy(entry, bytes, rules, CancellationToken.None);
        return bytes.ToArray();
    }

    /// <summary>Writes everything into a folder.</summary>
    public static void Unpack(FileStream file, ArchiveFolder folder, ArchiveEntries rules)
    {
        using var zip = Open(file, rules, out var entries);
        folder.Create(rules.TotalBytes);
        foreach (var (entry, path) in entries)
        {
            if (entry.FullName.EndsWith('/')) folder.AddFolder(path);
            else folder.AddFile(path, entry.LastWriteTime, (target, cancellation) => Copy(entry, target, rules, cancellation));
        }
    }

    /// <summary>Reads everything, and writes it nowhere.</summary>
    public static void Check(FileStream file, ArchiveEntries rules, CancellationToken cancellation)
    {
        using var zip = Open(file, rules, out var entries);
        foreach (var (entry, _) in entries.Where(static entry => !entry.Entry.FullName.EndsWith('/'))) Copy(entry, Stream.Null, rules, cancellation);
    }

    private static ZipArchive Open(FileStream file, ArchiveEntries rules, out List<(ZipArchiveEntry Entry, string Path)> entries)
    {
        CheckDirectory(file, rules);
        var zip = new ZipArchive(file, ZipArchiveMode.Read);
        try
        {
            entries = [];
            foreach (var entry in zip.Entries)
            {
                CheckKind(entry, rules);
                entries.Add((entry, rules.Add(entry.FullName, entry.Length, entry.CompressedLength)));
            }

            return zip;
        }
        catch
        {
            zip.Dispose();
            throw;
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
        if (at < 0 || at + EndRecord > tail.Length) throw rules.Refuse("it is no zip file (it has no end record), nor a tar.gz");

        // As the library has it: any of the three marks sends it to the zip64 record, and what that says goes before the rest.
        var disk = BinaryPrimitives.ReadUInt16LittleEndian(tail.AsSpan(at + 4));
        var count = BinaryPrimitives.ReadUInt16LittleEndian(tail.AsSpan(at + 10));
        long offset = BinaryPrimitives.ReadUInt32LittleEndian(tail.AsSpan(at + 16));
        if (disk == ushort.MaxValue || count == ushort.MaxValue || offset == uint.MaxValue) offset = Zip64Offset(file, file.Length - tail.Length + at, rules);
        if (offset > file.Length || file.Length - offset > MaxDirectoryBytes) throw rules.Refuse($"its list of entries takes more than {MaxDirectoryBytes} bytes");
    }

    /// <summary>The list's offset where the end record has no room for it: the record before the end record points to the one that has it.</summary>
    private static long Zip64Offset(FileStream file, long endRecord, ArchiveEntries rules)
    {
        // Without their signatures the library reads another list than the one that is measured here.
        var locator = ReadAt(file, endRecord - 20, "PK\u0006\u0007"u8, 20, rules);
        var record = ReadAt(file, BinaryPrimitives.ReadInt64LittleEndian(locator.AsSpan(8)), "PK\u0006\u0006"u8, 56, rules);
        file.Seek(0, SeekOrigin.Begin);
        var offset = BinaryPrimitives.ReadInt64LittleEndian(record.AsSpan(48));
        return offset >= 0 ? offset : throw rules.Refuse("its zip64 record is damaged");
    }

    private static byte[] ReadAt(FileStream file, long position, ReadOnlySpan<byte> signature, int length, ArchiveEntries rules)
    {
        if (position < 0 || position > file.Length - length) throw rules.Refuse("its zip64 record is damaged");

        var bytes = new byte[length];
        file.Seek(position, SeekOrigin.Begin);
        file.ReadExactly(bytes);
        return bytes.AsSpan().StartsWith(signature) ? bytes : throw rules.Refuse("its zip64 record is damaged");
    }

    /// <summary>Only files and folders: a link could lead out of the folder, and nobody needs a device file.</summary>
    private static void CheckKind(ZipArchiveEntry entry, ArchiveEntries rules)
    {
        const int FormatMask = 0xF000, File = 0x8000, Folder = 0x4000;
        var format = (entry.ExternalAttributes >> 16) & FormatMask;
        if (format is not (0 or File or Folder)) throw rules.RefuseKind(entry.FullName);
        if (entry.IsEncrypted) throw rules.Refuse($"{ArchiveEntries.Shown(entry.FullName)} is encrypted");
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
