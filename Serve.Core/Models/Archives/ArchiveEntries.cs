using Serve.Core.Configuration;
using Serve.Core.Errors;

namespace Serve.Core.Models.Archives;

/// <summary>The checks that every entry of an archive passes before anything is written.</summary>
/// <param name="archive">The archive's file name.</param>
/// <param name="limits">What it may contain.</param>
internal sealed class ArchiveEntries(string archive, ArchiveLimits limits)
{
    private const int MaxManifestBytes = 1 << 20;

    /// <summary>Names as a file system without cases sees them; the value says whether it is a folder.</summary>
    private readonly Dictionary<string, bool> _names = new(StringComparer.OrdinalIgnoreCase);
    private int _count;

    /// <summary>The archive's file name.</summary>
    public string Archive => archive;

    /// <summary>What all files declare together.</summary>
    public long TotalBytes { get; private set; }

    /// <summary>The paths of the files that were added.</summary>
    public IEnumerable<string> Files => _names.Where(static entry => !entry.Value).Select(static entry => entry.Key);

    /// <summary>Checks an entry and returns its path without the slash that marks a folder.</summary>
    /// <param name="name">As the archive has it.</param>
    /// <param name="bytes">Unpacked size, as declared.</param>
    /// <param name="packedBytes">Packed size; null where the format does not pack files one by one.</param>
    /// <exception cref="InvalidModelException">Which entry breaks which rule.</exception>
    public string Add(string name, long bytes, long? packedBytes)
    {
        Count();
        var isFolder = name.EndsWith('/');
        var path = isFolder ? name[..^1] : name;
        if (RelativePath.Fault(path) is { } fault) throw Refuse($"the path of entry {Shown(name)} {fault}");

        AddName(path, isFolder, name);
        if (isFolder) return path;

        if (bytes < 0 || bytes > limits.MaxEntryBytes) throw Refuse($"{Shown(name)} has {bytes} bytes; at most {limits.MaxEntryBytes} are allowed");
        if (packedBytes is { } packed && bytes > limits.FreeRatioBytes && bytes / Math.Max(1, packed) > limits.MaxRatio)
        {
            throw Refuse($"{Shown(name)} unpacks from {packed} to {bytes} bytes, more than {limits.MaxRatio} times as many");
        }

        TotalBytes += bytes;
        if (TotalBytes > limits.MaxTotalBytes) throw Refuse($"its files have more than {limits.MaxTotalBytes} bytes together");

        return path;
    }

    /// <summary>Counts an entry; <see cref="Add"/> does it itself.</summary>
    public void Count()
    {
        if (++_count > limits.MaxEntries) throw Refuse($"it has more than {limits.MaxEntries} entries");
    }

    /// <summary>Checks how much larger than packed all files so far are, where they are not packed one by one.</summary>
    /// <param name="packedBytes">The archive's size.</param>
    public void CheckTotalRatio(long packedBytes)
    {
        if (TotalBytes > limits.FreeRatioBytes && TotalBytes / Math.Max(1, packedBytes) > limits.MaxRatio)
        {
            throw Refuse($"it unpacks from {packedBytes} to at least {TotalBytes} bytes, more than {limits.MaxRatio} times as many");
        }
    }

    /// <summary>Checks the size of the manifest, which is read into memory.</summary>
    public void CheckManifest(long bytes)
    {
        if (bytes > MaxManifestBytes) throw Refuse($"its manifest has {bytes} bytes; at most {MaxManifestBytes} are allowed");
    }

    /// <summary>An entry that is neither a file nor a folder.</summary>
    public InvalidModelException RefuseKind(string name) => Refuse($"{Shown(name)} is a link or another special file; only files and folders are allowed");

    /// <summary>An error of this archive.</summary>
    public InvalidModelException Refuse(string reason, Exception? cause = null) => new($"The archive {archive} cannot be used: {reason}.", cause);

    /// <summary>An entry's name for a message: short, and without what a terminal would obey.</summary>
    public static string Shown(string name) => '"' + string.Concat((name.Length > 80 ? name[..80] + "…" : name).Select(c => char.IsControl(c) ? '?' : c)) + '"';

    private void AddName(string path, bool isFolder, string name)
    {
        for (var slash = path.IndexOf('/', StringComparison.Ordinal); slash >= 0; slash = path.IndexOf('/', slash + 1))
        {
            var parent = path[..slash];
            if (_names.TryGetValue(parent, out var known) && !known) throw Refuse($"{Shown(name)} lies in {Shown(parent)}, which is a file");
            _names[parent] = true;
        }

        if (_names.TryGetValue(path, out var wasFolder) && !(isFolder && wasFolder)) throw Refuse($"{Shown(name)} stands twice (cases do not count)");
        _names[path] = isFolder;
    }
}
