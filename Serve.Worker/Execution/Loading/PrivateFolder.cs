namespace Serve.Worker.Execution.Loading;

/// <summary>A folder that nobody else may write to: what is read from it decides what this process executes.</summary>
internal static class PrivateFolder
{
    private const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode WritableByOthers = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;

    /// <summary>Makes the folder with those around it (mode 0700), or opens it if it is there.</summary>
    /// <returns>The full path.</returns>
    /// <exception cref="IOException">It cannot be made, or others may write to it or to the folder around it.</exception>
    /// <exception cref="UnauthorizedAccessException">It belongs to somebody else.</exception>
    public static string Open(string path)
    {
        path = Path.GetFullPath(path);
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(path);
        else Directory.CreateDirectory(path, Owner);
        Check(path);
        return path;
    }

    /// <exception cref="IOException">Others may write to it or to the folder around it.</exception>
    public static void Check(string path)
    {
        if (OperatingSystem.IsWindows()) return;
        foreach (var folder in (string[])[path, Path.GetDirectoryName(path)!])
        {
            if ((File.GetUnixFileMode(folder) & WritableByOthers) != 0) throw new IOException($"{folder} is open to others; its mode must be 0700");
        }
    }
}
