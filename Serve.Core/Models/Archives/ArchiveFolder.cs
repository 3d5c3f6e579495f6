using Serve.Core.Errors;

namespace Serve.Core.Models.Archives;

/// <summary>The private folder (mode 0700) that an archive is unpacked into. Nothing is written outside it.</summary>
/// <param name="root">A folder that does not exist yet.</param>
/// <param name="rules">The archive's, for its errors.</param>
/// <param name="cancellation">Stops between two blocks.</param>
internal sealed class ArchiveFolder(string root, ArchiveEntries rules, CancellationToken cancellation)
{
    private readonly string _root = Path.GetFullPath(root);

    /// <summary>Makes the folder, if there is room for what the archive declares.</summary>
    /// <param name="bytes">What its files have together, as far as that is known.</param>
    /// <exception cref="OutOfResourcesException">There is less room than that.</exception>
    public void Create(long bytes)
    {
        var parent = Path.GetDirectoryName(_root)!;
        Directory.CreateDirectory(parent);
        var free = new DriveInfo(parent).AvailableFreeSpace;
        if (bytes > free) throw new OutOfResourcesException($"The archive {rules.Archive} needs {bytes} bytes in {parent}, where {free} are free.");

        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(_root);
        else Directory.CreateDirectory(_root, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <summary>Makes a folder in it.</summary>
    public void AddFolder(string relative) => Directory.CreateDirectory(Target(relative));

    /// <summary>Writes a file in it.</summary>
    /// <param name="relative">Its path, checked.</param>
    /// <param name="modified">When the archive says that it was changed. Workers keep what they make of a file as long as it has not changed: unpacking it again is no change.</param>
    /// <param name="write">Writes its content; the token stops it.</param>
    public void AddFile(string relative, DateTimeOffset modified, Action<Stream, CancellationToken> write)
    {
        var target = Target(relative);
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        using (var file = new FileStream(target, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0 }))
        {
            write(file, cancellation);
        }

        File.SetLastWriteTimeUtc(target, modified.UtcDateTime);
    }

    /// <summary>The folder with the files of what was unpacked: where everything lies in one folder (as torch-model-archiver's tars have it), that one.</summary>
    public static string Content(string root)
    {
        var entries = Directory.GetFileSystemEntries(root);
        return entries is [var only] && Directory.Exists(only) && Path.GetFileName(only) != ModelManifest.FolderName ? only : root;
    }

    private string Target(string relative)
    {
        var target = Path.GetFullPath(Path.Combine(_root, relative));

        // The rules make this impossible; if they ever do not, nothing is written elsewhere.
        return target.StartsWith(_root + Path.DirectorySeparatorChar, StringComparison.Ordinal) ? target : throw rules.Refuse($"{ArchiveEntries.Shown(relative)} leads out of its folder");
    }
}
