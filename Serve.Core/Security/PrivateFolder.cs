using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace Serve.Core.Security;

/// <summary>
/// A folder of this user alone (mode 0700): whoever may write there may pretend to be a worker, or a server. It may lie where
/// everybody can make folders, so that it is there is no proof of who made it.
/// </summary>
internal static partial class PrivateFolder
{
    private const UnixFileMode Mine = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    /// <summary>Makes it, or opens it if it is there.</summary>
    /// <returns>The full path.</returns>
    /// <exception cref="IOException">It cannot be made, or is not private.</exception>
    /// <exception cref="UnauthorizedAccessException">It cannot be made.</exception>
    public static string Open(string path)
    {
        path = Path.GetFullPath(path);
        if (OperatingSystem.IsWindows()) return Directory.CreateDirectory(path).FullName;
        Directory.CreateDirectory(path, Mine);
        Check(path);
        return path;
    }

    /// <summary>Sees to it that nobody else can have put anything into one that is there.</summary>
    /// <exception cref="IOException">Others can.</exception>
    public static void Check(string path)
    {
        if (OperatingSystem.IsWindows()) return;
        path = Path.GetFullPath(path);
        if (OperatingSystem.IsLinux() && OwnerOf(path) is { } owner && owner != UserId() && !IsGivenToRoot(path)) throw new IOException($"The folder {path} (runtimeFolder) belongs to another user ({owner}).");
        if ((File.GetUnixFileMode(path) & Others) != 0) throw new IOException($"The folder {path} (runtimeFolder) is open to others; its mode must be 0700.");
    }

    // Root stops and asks servers of other users too: theirs is the folder, unless anybody could have made it.
    [UnsupportedOSPlatform("windows")]
    private static bool IsGivenToRoot(string path) =>
        UserId() == 0 && Path.GetDirectoryName(path) is { } around && (File.GetUnixFileMode(around) & (UnixFileMode.GroupWrite | UnixFileMode.OtherWrite)) == 0;

    // Null where the system cannot say it; the mode is checked all the same.
    private static uint? OwnerOf(string path)
    {
        Span<byte> found = stackalloc byte[Statx.Bytes];
        try
        {
            return StatX(Statx.CurrentFolder, path, 0, Statx.WantsOwner, found) == 0 ? MemoryMarshal.Read<uint>(found[Statx.OwnerAt..]) : null;
        }
        catch (EntryPointNotFoundException)
        {
            return null;
        }
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(int folder, string path, int flags, uint mask, Span<byte> found);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint UserId();

    // linux/stat.h: the same on all processors.
    private static class Statx
    {
        public const int Bytes = 256;
        public const int CurrentFolder = -100;
        public const uint WantsOwner = 8;
        public const int OwnerAt = 20;
    }
}
