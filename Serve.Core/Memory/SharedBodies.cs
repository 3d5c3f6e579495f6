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

    // What is below stays.
    private const int KeptBytes = 4 << 20;

    private const int PieceBytes = 16 << 20;

    // Linux's values.
    private const uint CloseOnExec = 1;
    private const uint AllowSealing = 2;
    private const int AddSeals = 1033;
    private const int SealsAndSizeStay = 1 | 2 | 4;
    private const int Remove = 9;

    private readonly SafeFileHandle _file;
    private readonly MappedMemory _memory;
    private readonly RangeAllocator _ranges;
    private readonly int _length;
    private readonly Lock _gate = new();
    private int _inUse;

    // The end of what has been written since memory was last given back, of what was in use since it was last looked at, and
    // of what is not to be given back.
    private int _written;
    private int _reached;
    private int _kept = KeptBytes;
    private bool _isClosed;
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
    /// <returns>Null: this system has no such memory, or no more of it, or no body would find room in so little.</returns>
    public static SharedBodies? TryCreate(int length)
    {
        length -= length % Environment.SystemPageSize;
        if (!OperatingSystem.IsLinux() || length / Share < LeastBytes) return null;
        SafeFileHandle? file = null;
        try
        {
            var descriptor = Create("serve-bodies", CloseOnExec | AllowSealing);
            if (descriptor < 0) return null;
            file = new SafeFileHandle(descriptor, ownsHandle: true);
            RandomAccess.SetLength(file, length);

            // Whoever made it shorter would end the frontend.
            if (Control(descriptor, AddSeals, SealsAndSizeStay) != 0) throw new IOException("the memory cannot be sealed");
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
        var page = Environment.SystemPageSize;
        var room = ((int)bytes + page - 1) / page * page;
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
            if (!_isClosed || _inUse > 0) return;
            _kept = 0;
        }

        GiveBack();
    }

    /// <summary>Gives back to the system what was not needed since the last call.</summary>
    public void Trim()
    {
        lock (_gate) (_reached, _kept) = (_ranges.End, Math.Max(KeptBytes, _reached));
        GiveBack();
    }

    /// <summary>No more workers open it. Bodies that are there stay readable; when they are released, all of it is given back.</summary>
    internal void Close()
    {
        _isRead = false;
        _file.Dispose();
        lock (_gate)
        {
            _isClosed = true;
            if (_inUse == 0) _kept = 0;
        }

        GiveBack();
    }

    // What is not kept, in pieces, because requests that come or go wait meanwhile.
    private void GiveBack()
    {
        while (GiveBackPiece())
        {
        }
    }

    private bool GiveBackPiece()
    {
        lock (_gate)
        {
            var from = Math.Max(Math.Max(_kept, _ranges.End), _written - PieceBytes);
            if (_written <= from) return false;
            fixed (byte* at = _memory.GetSpan()[from..])
            {
                // Where the system does not know how, it stays.
                if (Advise(at, (nuint)(_written - from), Remove) != 0) return false;
            }

            _written = from;
            return true;
        }
    }

    [LibraryImport("libc", EntryPoint = "memfd_create", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Create(string name, uint flags);

    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    private static partial int Advise(byte* start, nuint length, int advice);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Control(int descriptor, int command, int argument);
}
