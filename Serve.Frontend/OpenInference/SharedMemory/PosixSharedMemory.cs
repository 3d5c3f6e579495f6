using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Serve.Core.Errors;

namespace Serve.Frontend.OpenInference.SharedMemory;

/// <summary>Opens objects of POSIX shared memory by their key.</summary>
internal static partial class PosixSharedMemory
{
    // Those of Triton's own workers.
    private const string ReservedPrefix = "/triton_python_backend_shm_region_";
    private const int LongestKey = 255;
    private const int ReadWrite = 2;

    /// <summary>Whether this system has it.</summary>
    public static bool IsSupported => OperatingSystem.IsLinux();

    /// <summary>Opens an object that is there, to read and to write it.</summary>
    /// <param name="key">A slash and a name.</param>
    /// <exception cref="BadRequestException">It is no key, or cannot be opened.</exception>
    public static SafeFileHandle Open(string key)
    {
        // A name without slashes stays in the one folder; the system follows no links there.
        if (key.Length < 2 || key[0] != '/' || key.IndexOf('/', 1) >= 0 || key is "/." or "/.." || key.Any(char.IsControl) || key.Length > LongestKey)
            throw new BadRequestException($"The key of a shared memory region is a slash and a name without slashes, not '{(key.Length > LongestKey ? key[..LongestKey] : key)}'.");
        if (key.StartsWith(ReservedPrefix, StringComparison.Ordinal)) throw new BadRequestException($"cannot register shared memory region '{key}': keys that begin with '{ReservedPrefix}' are reserved");
        var descriptor = OpenObject(key);
        if (descriptor < 0) throw new BadRequestException($"Unable to open shared memory region: '{key}': {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");
        return new SafeFileHandle(descriptor, ownsHandle: true);
    }

    private static int OpenObject(string key)
    {
        try
        {
            return InLibc(key, ReadWrite, 0);
        }
        catch (EntryPointNotFoundException)
        {
            // glibc before 2.34.
            return InLibrt(key, ReadWrite, 0);
        }
    }

    [LibraryImport("libc", EntryPoint = "shm_open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int InLibc(string name, int flags, uint mode);

    [LibraryImport("librt", EntryPoint = "shm_open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int InLibrt(string name, int flags, uint mode);
}
