using System.Formats.Tar;
using System.IO.Compression;

namespace Serve.Core.Models.Archives;

/// <summary>
/// The files of a gzipped tar. It has no list of entries, so each is checked as it comes, and what was written goes again
/// if a later one breaks a rule.
/// </summary>
internal static class TarFiles
{
    private const int CopyBytes = 128 << 10;

    /// <summary>What may stand behind the end of a tar: tar itself pads to 10 KiB, few ask it for more.</summary>
    private const int MaxPaddingBytes = 1 << 20;

    /// <summary>Whether a file is one: it begins with gzip's mark.</summary>
    public static bool AreIn(FileStream file)
    {
        Span<byte> mark = stackalloc byte[2];
        var read = file.ReadAtLeast(mark, mark.Length, throwOnEndOfStream: false);
        file.Seek(0, SeekOrigin.Begin);
        return read == mark.Length && mark.SequenceEqual((ReadOnlySpan<byte>)[0x1F, 0x8B]);
    }

    /// <summary>The manifest's bytes, at the root or in the one folder around everything; null if there is none.</summary>
    public static byte[]? ReadManifest(FileStream file, ArchiveEntries rules)
    {
        byte[]? manifest = null;
        Walk(file, rules, (entry, path) =>
        {
            if (path != ModelManifest.EntryName && path[(path.IndexOf('/', StringComparison.Ordinal) + 1)..] != ModelManifest.EntryName) return true;
            rules.CheckManifest(entry.Length);

            manifest = new byte[entry.Length];
            entry.DataStream?.ReadExactly(manifest);
            return false;
        });
        return manifest;
    }

    /// <summary>Writes everything into a folder.</summary>
    public static void Unpack(FileStream file, ArchiveFolder folder, ArchiveEntries rules)
    {
        folder.Create(file.Length);
        Walk(file, rules, (entry, path) =>
        {
            if (entry.EntryType is TarEntryType.Directory) folder.AddFolder(path);
            else folder.AddFile(path, entry.ModificationTime, (target, cancellation) => Copy(entry, target, cancellation));
            return true;
        });
    }

    /// <summary>Reads everything, and writes it nowhere.</summary>
    public static void Check(FileStream file, ArchiveEntries rules, CancellationToken cancellation) => Walk(file, rules, (entry, _) =>
    {
        Copy(entry, Stream.Null, cancellation);
        return true;
    });

    /// <summary>Goes through the files and folders, as long as the visitor wants more.</summary>
    private static void Walk(FileStream file, ArchiveEntries rules, Func<TarEntry, string, bool> visit)
    {
        using var unpacked = new GZipStream(file, CompressionMode.Decompress, leaveOpen: true);
        using var guarded = new TarHeaderGuard(unpacked);
        using var tar = new TarReader(guarded, leaveOpen: true);
        while (NextEntry(tar, guarded) is { } entry)
        {
            if (entry.EntryType is TarEntryType.GlobalExtendedAttributes) rules.Count();
            else if (PathOf(entry, file.Length, rules) is { } path && !visit(entry, path)) return;
        }

        // Only its end tells whether all of it was right.
        guarded.ReadEnd(file, MaxPaddingBytes);
    }

    private static TarEntry? NextEntry(TarReader tar, TarHeaderGuard guarded)
    {
        guarded.IsInHeader = true;
        var entry = tar.GetNextEntry();
        guarded.IsInHeader = false;
        return entry;
    }

    /// <summary>An entry's path, checked; null for the folder around everything, which <c>tar -C folder .</c> calls <c>./</c>.</summary>
    private static string? PathOf(TarEntry entry, long packedBytes, ArchiveEntries rules)
    {
        // Only files and folders: a link could lead out of the folder, and nobody needs a device file.
        if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.Directory)) throw rules.RefuseKind(entry.Name);

        var isFolder = entry.EntryType is TarEntryType.Directory;
        var name = entry.Name.StartsWith("./", StringComparison.Ordinal) ? entry.Name[2..] : entry.Name;
        if (isFolder && name is "" or ".")
        {
            rules.Count();
            return null;
        }

        if (!isFolder && name.EndsWith('/')) throw rules.Refuse($"the path of entry {ArchiveEntries.Shown(name)} ends in a slash, and it is a file");

        var path = rules.Add(isFolder ? name.TrimEnd('/') + '/' : name, isFolder ? 0 : entry.Length, packedBytes: null);
        rules.CheckTotalRatio(packedBytes);
        return path;
    }

    private static void Copy(TarEntry entry, Stream target, CancellationToken cancellation)
    {
        if (entry.DataStream is not { } source) return;

        var buffer = new byte[(int)Math.Clamp(entry.Length, 1, CopyBytes)];
        int read;
        while ((read = source.Read(buffer)) > 0)
        {
            cancellation.ThrowIfCancellationRequested();
            target.Write(buffer, 0, read);
        }
    }
}
