namespace Serve.Worker.Execution.Loading;

/// <summary>A folder that nobody else may write to: what is read from it decides what this process executes.</summary>
internal static class PrivateFolder
{
    private const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode WritableByOthers = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;

    /// <summary>Makes the folder with those around it (mode 0700), or opens it if it is there.</summary>
    /// <returns>The full path; null if others may write to it or to the folder around it.</returns>
    /// <exception cref="IOException">It cannot be made.</exception>
    /// <exception cref="UnauthorizedAccessException">It belongs to somebody else.</exception>
    public static string? Open(string path)
    {
        path = Path.GetFullPath(path);
        if (OperatingSystem.IsWindows()) return Directory.CreateDirectory(path).FullName;

        Directory.CreateDirectory(path, Owner);
        return IsPrivate(path) && IsPrivate(Path.GetDirectoryName(path)!) ? path : null;
    }

    private static bool IsPrivate(string path) => OperatingSystem.IsWindows() || (File.GetUnixFileMode(path) & WritableByOthers) == 0;
}
