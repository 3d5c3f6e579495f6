using Microsoft.Win32.SafeHandles;
using Serve.Core.Errors;

namespace Serve.Frontend.OpenInference.SharedMemory;

/// <summary>
/// A region of shared memory that a client has registered. It is read and written by the file calls, not mapped: a client
/// that shortens it meanwhile gets an error, and the server no signal that would end it. Requests that use it hold it open,
/// also when it is unregistered.
/// </summary>
/// <param name="name">Its name.</param>
/// <param name="key">The key of the object that it lies in.</param>
/// <param name="offset">Where it begins there.</param>
/// <param name="bytes">How long it is.</param>
/// <param name="handle">The object, the region's now.</param>
internal sealed class SharedMemoryRegion(string name, string key, long offset, long bytes, SafeFileHandle handle)
{
    // The registration itself is one.
    private int _uses = 1;

    public string Name => name;

    public string Key => key;

    public long Offset => offset;

    public long Bytes => bytes;

    /// <summary>One more holds it open.</summary>
    /// <returns>False: it is closed.</returns>
    public bool TryHold()
    {
        for (var uses = Volatile.Read(ref _uses); uses > 0; uses = Volatile.Read(ref _uses))
        {
            if (Interlocked.CompareExchange(ref _uses, uses + 1, uses) == uses) return true;
        }

        return false;
    }

    /// <summary>One less; the last one closes it.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _uses) == 0) handle.Dispose();
    }

    /// <summary>Checks that a place lies in it.</summary>
    /// <exception cref="BadRequestException">It does not.</exception>
    public void Check(string what, long at, long length)
    {
        if (at < 0 || length < 0 || at > bytes || length > bytes - at) throw new BadRequestException($"Invalid offset + byte size for shared memory region: '{name}': {what} wants {length} bytes from {at}, and it has {bytes}");
    }

    /// <summary>Reads from it.</summary>
    /// <exception cref="BadRequestException">The object has become shorter.</exception>
    public void Read(long at, Span<byte> target)
    {
        for (var read = 0; read < target.Length;)
        {
            var count = RandomAccess.Read(handle, target[read..], offset + at + read);
            if (count == 0) throw Shorter();
            read += count;
        }
    }

    /// <summary>Writes into it.</summary>
    /// <exception cref="BadRequestException">The object has become shorter.</exception>
    public void Write(long at, ReadOnlySpan<byte> data)
    {
        if (RandomAccess.GetLength(handle) < offset + at + data.Length) throw Shorter();
        RandomAccess.Write(handle, data, offset + at);
    }

    private BadRequestException Shorter() => new($"the object '{key}' of shared memory region '{name}' has become shorter than the region");
}
