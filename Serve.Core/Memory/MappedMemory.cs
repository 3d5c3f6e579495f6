using System.Buffers;
using System.IO.MemoryMappedFiles;
using Microsoft.Win32.SafeHandles;

namespace Serve.Core.Memory;

/// <summary>A file's memory as <see cref="Memory{T}"/>; mapped until it is disposed of, which its owner does, or never.</summary>
internal sealed unsafe class MappedMemory : MemoryManager<byte>
{
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _start;
    private readonly int _length;

    private MappedMemory(SafeFileHandle file, int length, MemoryMappedFileAccess access)
    {
        _length = length;

        // The view needs neither the file nor its handle.
        using var mapped = MemoryMappedFile.CreateFromFile(file, null, length, access, HandleInheritability.None, leaveOpen: true);
        _view = mapped.CreateViewAccessor(0, length, access);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
        _start += _view.PointerOffset;
    }

    /// <summary>Kept as long as anything refers to the memory.</summary>
    public object? Owner { get; set; }

    /// <summary>Maps a file to be written.</summary>
    /// <param name="file">Its handle, which stays the caller's.</param>
    /// <param name="length">Its bytes.</param>
    /// <exception cref="IOException">It cannot be mapped.</exception>
    /// <exception cref="UnauthorizedAccessException">Likewise.</exception>
    public static MappedMemory Map(SafeFileHandle file, int length) => new(file, length, MemoryMappedFileAccess.ReadWrite);

    /// <summary>Maps a file to be read only: whoever writes ends his process.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="length">Its bytes.</param>
    /// <exception cref="IOException">It cannot be opened or mapped.</exception>
    /// <exception cref="UnauthorizedAccessException">Likewise.</exception>
    /// <exception cref="ArgumentException">Its path or length is none.</exception>
    public static MappedMemory MapToRead(string path, int length)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        if (RandomAccess.GetLength(file) < length) throw new IOException($"{path} has fewer than {length} bytes");
        return new MappedMemory(file, length, MemoryMappedFileAccess.Read);
    }

    /// <inheritdoc/>
    public override Span<byte> GetSpan() => new(_start, _length);

    /// <inheritdoc/>
    public override MemoryHandle Pin(int elementIndex = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)elementIndex, (uint)_length);
        return new MemoryHandle(_start + elementIndex, default, this);
    }

    /// <inheritdoc/>
    public override void Unpin()
    {
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
    }
}
