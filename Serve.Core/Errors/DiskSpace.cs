namespace Serve.Core.Errors;

/// <summary>Tells a disk that is full from one that is broken.</summary>
internal static class DiskSpace
{
    // errno of a full disk, of a full quota, and of a file too large for its file system; Windows's of a full disk.
    private const int NoSpace = 28, NoQuota = 122, TooLarge = 27, WindowsNoSpace = unchecked((int)0x80070070);

    /// <summary>Whether there was no room for what was written.</summary>
    public static bool IsExhausted(IOException error) => error.HResult is NoSpace or NoQuota or TooLarge or WindowsNoSpace;
}
