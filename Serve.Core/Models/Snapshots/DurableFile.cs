using System.Runtime.InteropServices;

namespace Serve.Core.Models.Snapshots;

/// <summary>Writes files that are there whole or not at all, also after a crash of the machine.</summary>
internal static partial class DurableFile
{
    private const int ReadOnly = 0;

    /// <summary>Writes a file: to a temporary one beside it, which reaches the disk before it gets the name, and the name before this returns.</summary>
    /// <param name="path">The file; it is replaced if it is there.</param>
    /// <param name="bytes">Its content.</param>
    /// <exception cref="IOException">It could not be written; a file that was there before is unchanged.</exception>
    public static void Write(string path, ReadOnlySpan<byte> bytes)
    {
        var temporary = path + ".partial";
        try
        {
            using (var file = new FileStream(temporary, PrivateFile()))
            {
                file.Write(bytes);
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
            FlushFolder(Path.GetDirectoryName(path)!);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    private static FileStreamOptions PrivateFile()
    {
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, BufferSize = 0 };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        return options;
    }

    /// <summary>A new name is only safe when its folder is on the disk too. Windows writes it through by itself.</summary>
    /// <exception cref="IOException">It could not be written.</exception>
    public static void FlushFolder(string folder)
    {
        if (OperatingSystem.IsWindows()) return;

        var descriptor = Open(folder, ReadOnly);
        if (descriptor < 0) throw new IOException($"{folder} cannot be opened: {Marshal.GetLastPInvokeErrorMessage()}");
        var isFlushed = Flush(descriptor) == 0;
        var reason = Marshal.GetLastPInvokeErrorMessage();
        _ = Close(descriptor);
        if (!isFlushed) throw new IOException($"{folder} cannot be written to disk: {reason}");
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Flush(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}
