using Serve.Core.Errors;

namespace Serve.Core.Models.Archives;

/// <summary>
/// A model's files and a manifest in one file: a zip (<c>.mar</c>) or a compressed tar (<c>.tgz</c>, <c>.tar.gz</c>). It may
/// come from anybody: every entry's path, kind and size are checked before anything of it is written, and sizes and
/// checksums again while it is. The content decides which of the two it is, not the name.
/// </summary>
public static class ModelArchive
{
    /// <summary>The extension of archives that Serve makes by default.</summary>
    public const string Extension = ".mar";

    /// <summary>The extension of compressed tars, as torch-model-archiver has it.</summary>
    public const string TarExtension = ".tar.gz";

    private static readonly string[] Extensions = [Extension, TarExtension, ".tgz"];

    /// <summary>A file's name without the extension of an archive; null if it has none.</summary>
    /// <param name="fileName">The name, without folders.</param>
    public static string? Stem(string fileName)
    {
        ArgumentNullException.ThrowIfNull(fileName);
        return Extensions.FirstOrDefault(extension => fileName.EndsWith(extension, StringComparison.OrdinalIgnoreCase)) is { } found ? fileName[..^found.Length] : null;
    }

    /// <summary>Reads an archive's manifest; null if it has none. A tar may have to be read to its end for it.</summary>
    /// <param name="path">The archive.</param>
    /// <param name="limits">What it may contain.</param>
    /// <exception cref="InvalidModelException">The archive or its manifest is damaged or not allowed.</exception>
    public static ModelManifest? ReadManifest(string path, ArchiveLimits limits)
    {
        var bytes = Open(path, limits, (file, rules) => TarFiles.AreIn(file) ? TarFiles.ReadManifest(file, rules) : ZipFiles.ReadManifest(file, rules));
        return bytes is null ? null : ModelManifest.Read(bytes, $"{Path.GetFileName(path)}/{ModelManifest.EntryName}");
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
            Open<object?>(path, limits, (file, rules) =>
            {
                var folder = new ArchiveFolder(staging, rules, cancellation);
                if (TarFiles.AreIn(file)) TarFiles.Unpack(file, folder, rules);
                else ZipFiles.Unpack(file, folder, rules);
                return null;
            });
            Directory.Move(ArchiveFolder.Content(staging), destination);
        }
        finally
        {
            if (Directory.Exists(staging)) Directory.Delete(staging, recursive: true);
        }
    }

    /// <summary>Reads an archive to its end, as unpacking it would, and writes nothing.</summary>
    /// <param name="path">The archive.</param>
    /// <param name="limits">What it may contain.</param>
    /// <param name="name">What messages call it.</param>
    /// <param name="cancellation">Stops between two blocks.</param>
    /// <returns>The paths of its files.</returns>
    /// <exception cref="InvalidModelException">The archive is damaged or not allowed.</exception>
    public static IReadOnlyList<string> Check(string path, ArchiveLimits limits, string name, CancellationToken cancellation) => Open<IReadOnlyList<string>>(path, new ArchiveEntries(name, limits), (file, rules) =>
    {
        if (TarFiles.AreIn(file)) TarFiles.Check(file, rules, cancellation);
        else ZipFiles.Check(file, rules, cancellation);
        return [.. rules.Files];
    });

    private static T Open<T>(string path, ArchiveLimits limits, Func<FileStream, ArchiveEntries, T> use) => Open(path, new ArchiveEntries(Path.GetFileName(path), limits), use);

    private static T Open<T>(string path, ArchiveEntries rules, Func<FileStream, ArchiveEntries, T> use)
    {
        try
        {
            using var file = File.OpenRead(path);
            return use(file, rules);
        }
        catch (Exception error) when (error is InvalidDataException or EndOfStreamException or NotSupportedException or ArgumentException or OverflowException or FormatException or InvalidOperationException)
        {
            throw rules.Refuse($"it is damaged, or neither a zip nor a tar.gz ({error.Message.TrimEnd('.')})", error);
        }
        catch (IOException error) when (DiskSpace.IsExhausted(error))
        {
            throw new OutOfResourcesException($"There is no room to unpack the archive {rules.Archive}.", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw rules.Refuse(error.Message.TrimEnd('.'), error);
        }
    }
}
