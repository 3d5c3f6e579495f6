using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Serve.Core.Memory;

/// <summary>
/// Memory for the bodies of one version's requests, which its workers map to read: a body is written once, as it arrives, and
/// its worker reads it where it lies. Sending it through a socket would copy it twice more. It is memory without a name
/// (Linux's <c>memfd</c>), taken from the system as it is written and given back when it was not needed for a while. A body for
/// which there is no room goes through the socket. Safe from any thread.
/// </summary>
public sealed unsafe partial class SharedBodies
{
    /// <summary>Smaller bodies are sent: that costs less than keeping the books.</summary>
    public const int LeastBytes = 16 << 10;

    // One body takes at most this share: a client may announce much and send little.
    private const int Share = 8;

    // What is below stays; also the unit in which memory is taken.
    private const int KeptBytes = 4 << 20;
    private const int PageBytes = 4 << 10;

    private const uint CloseOnExec = 1;
    private const int Remove = 9;

    private readonly SafeFileHandle _file;
    private readonly MappedMemory _memory;
    private readonly RangeAllocator _ranges;
    private readonly int _length;
    private readonly Lock _gate = new();
    private int _inUse;

    // The end of what has been written since memory was last given back, and of what was in use since it was last looked at.
    private int _written;
    private int _reached;
    private volatile bool _isRead;

    private SharedBodies(SafeFileHandle file, MappedMemory memory, int length)
    {
        (_file, _memory, _length) = (file, memory, length);
        memory.Owner = this;
        _ranges = new RangeAllocator(length);
        Path = string.Create(CultureInfo.InvariantCulture, $"/proc/{Environment.ProcessId}/fd/{file.DangerousGetHandle()}");
    }

    /// <summary>
    /// When nothing refers to it any more, and not before: whoever reads a body a moment too long must not end the process. What
    /// is held although nobody refers to it may be on somebody's stack, as a span, and stays.
    /// </summary>
    ~SharedBodies()
    {
        if (_inUse == 0) ((IDisposable)_memory).Dispose();
    }

    /// <summary>Where a worker of the same user opens it.</summary>
    public string Path { get; }

    /// <summary>Its length.</summary>
    public int Length => _length;

    /// <summary>Bytes in use.</summary>
    public int InUse => Volatile.Read(ref _inUse);

    /// <summary>Makes one.</summary>
    /// <param name="length">Its length, in bytes; nothing is taken from the system before it is written.</param>
    /// <returns>Null: this system has no such memory, or no more of it.</returns>
    public static SharedBodies? TryCreate(int length)
    {
        if (!OperatingSystem.IsLinux()) return null;
        length -= length % PageBytes;
        SafeFileHandle? file = null;
        try
        {
            var descriptor = Create("serve-bodies", CloseOnExec);
            if (descriptor < 0) return null;
            file = new SafeFileHandle(descriptor, ownsHandle: true);
            RandomAccess.SetLength(file, length);
            return new SharedBodies(file, MappedMemory.Map(file, length), length);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or EntryPointNotFoundException or DllNotFoundException)
        {
            file?.Dispose();
            return null;
        }
    }

    /// <summary>A worker reads from here: from now on bodies are put here.</summary>
    internal void Use() => _isRead = true;

    /// <summary>Takes room for a body. Hot path.</summary>
    /// <param name="bytes">Its length.</param>
    /// <returns>Null: it is to be sent instead.</returns>
    internal SharedBody? TryTake(long bytes)
    {
        if (!_isRead || bytes < LeastBytes || bytes > _length / Share) return null;
        var room = ((int)bytes + PageBytes - 1) / PageBytes * PageBytes;
        int start;
        lock (_gate)
        {
            start = _ranges.Take(room);
            if (start < 0) return null;
            _inUse += room;
            _reached = Math.Max(_reached, start + room);
            _written = Math.Max(_written, start + room);
        }

        return new SharedBody(this, start, _memory.Memory.Slice(start, room));
    }

    internal void Return(int start, int room)
    {
        lock (_gate)
        {
            _ranges.Return(start, room);
            _inUse -= room;
        }
    }

    /// <summary>Gives back to the system what was not needed since the last call.</summary>
    public void Trim()
    {
        lock (_gate)
        {
            var kept = Math.Max(KeptBytes, _reached);
            if (_written > kept)
            {
                Advise(_memory, kept, _written - kept);
                _written = kept;
            }

            // Where the memory in use ends is not known exactly; while there is any, nothing that may be of it is given back.
            if (_inUse == 0) _reached = 0;
        }
    }

    /// <summary>No more workers open it. Bodies that are there stay readable.</summary>
    internal void Close()
    {
        _isRead = false;
        _file.Dispose();
        lock (_gate)
        {
            if (_inUse > 0 || _written == 0) return;
            Advise(_memory, 0, _written);
            _written = 0;
        }
    }

    private static void Advise(MappedMemory memory, int start, int length)
    {
        fixed (byte* at = memory.GetSpan()[start..]) Advise(at, (nuint)length, Remove); // if it fails, the memory stays
    }

    [LibraryImport("libc", EntryPoint = "memfd_create", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Create(string name, uint flags);

    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    private static partial int Advise(byte* start, nuint length, int advice);
}
