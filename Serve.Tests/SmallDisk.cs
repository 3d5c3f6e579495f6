using System.Diagnostics;

namespace Serve.Tests;

/// <summary>A file system of its own that is soon full, in memory. Only root may mount one.</summary>
internal sealed class SmallDisk : IDisposable
{
    public const string NeedsRoot = "A small file system can be mounted by root only.";

    private readonly TemporaryFolder _folder;

    private SmallDisk(TemporaryFolder folder) => _folder = folder;

    public string Path => _folder.Path;

    public string this[params string[] parts] => _folder[parts];

    /// <summary>Mounts one; null where that is not allowed.</summary>
    /// <param name="size">As mount has it: <c>256k</c>.</param>
    public static SmallDisk? Mount(string size)
    {
        if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess) return null;
        var folder = new TemporaryFolder();
        if (Run("mount", "-t", "tmpfs", "-o", $"size={size}", "tmpfs", folder.Path)) return new SmallDisk(folder);
        folder.Dispose();
        return null;
    }

    /// <summary>Leaves no room for anything.</summary>
    /// <returns>The file that takes it.</returns>
    public string Fill()
    {
        var path = this["fill"];
        using var fill = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        var zeros = new byte[4096];
        try
        {
            while (true) fill.Write(zeros);
        }
        catch (IOException)
        {
            // It is full now.
        }

        return path;
    }

    public void Dispose()
    {
        Run("umount", _folder.Path);
        _folder.Dispose();
    }

    private static bool Run(string command, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(command, arguments) { RedirectStandardError = true })!;
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
