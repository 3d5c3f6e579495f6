using System.Buffers;
using System.Collections.Concurrent;
using Microsoft.AspNetCore.Connections;

namespace Serve.Frontend.Hosting;

/// <summary>
/// Pinned blocks of 64 KiB for Kestrel's connections. Its own blocks are of 4 KiB, and a receive never fills more than
/// one: 300 system calls for one float32 picture, against 10. docs/performance.md has the measurement.
/// </summary>
/// <param name="mostKept">Free blocks that are kept; what comes back beyond them is left to the collector.</param>
internal sealed class LargeBlockPool(int mostKept) : MemoryPool<byte>
{
    public const int BlockBytes = 64 << 10;

    private readonly ConcurrentQueue<Block> _free = new();
    private int _count;
    private int _fewest;
    private bool _disposed;

    /// <inheritdoc/>
    public override int MaxBufferSize => BlockBytes;

    /// <summary>Free blocks now.</summary>
    public int Kept => Volatile.Read(ref _count);

    /// <inheritdoc/>
    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockBytes);
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _disposed), this);
        if (!_free.TryDequeue(out var block)) return new Block(this);

        var left = Interlocked.Decrement(ref _count);
        if (left < _fewest) _fewest = left;
        block.IsRented = true;
        return block;
    }

    /// <summary>Lets go of half the blocks that nobody needed since the last call: after a burst the memory goes back.</summary>
    public void Trim()
    {
        var unused = Math.Min(Interlocked.Exchange(ref _fewest, Kept), Kept);
        for (var surplus = (unused + 1) / 2; surplus > 0 && _free.TryDequeue(out _); surplus--) Interlocked.Decrement(ref _count);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        Volatile.Write(ref _disposed, true);
        _free.Clear();
    }

    private void Return(Block block)
    {
        if (Volatile.Read(ref _disposed)) return;
        if (Interlocked.Increment(ref _count) > mostKept)
        {
            Interlocked.Decrement(ref _count);
            return;
        }

        _free.Enqueue(block);
    }

    private sealed class Block(LargeBlockPool pool) : MemoryManager<byte>
    {
        private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(BlockBytes, pinned: true);

        public bool IsRented { get; set; } = true;

        public override Memory<byte> Memory => CreateMemory(BlockBytes);

        public override Span<byte> GetSpan() => _bytes;

        public override unsafe MemoryHandle Pin(int elementIndex = 0)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)elementIndex, (uint)BlockBytes, nameof(elementIndex));
            return new MemoryHandle((byte*)System.Runtime.CompilerServices.Unsafe.AsPointer(ref _bytes[0]) + elementIndex);
        }

        public override void Unpin()
        {
            // The array was allocated pinned.
        }

        protected override bool TryGetArray(out ArraySegment<byte> segment)
        {
            segment = new ArraySegment<byte>(_bytes);
            return true;
        }

        // Kestrel disposes the owner when it is done with the block: back to the pool, once.
        protected override void Dispose(bool disposing)
        {
            if (!IsRented) return;
            IsRented = false;
            pool.Return(this);
        }
    }
}

/// <summary>Gives Kestrel one pool for all connections, and trims it now and then.</summary>
internal sealed class LargeBlockPoolFactory : IMemoryPoolFactory<byte>, IDisposable
{
    private const int LeastKept = 64;
    private const int MostKept = 1024;

    private static readonly TimeSpan TrimInterval = TimeSpan.FromSeconds(10);

    private readonly LargeBlockPool _pool;
    private readonly ITimer _trim;

    /// <param name="maxConnections">Connections that may be open: a busy one has a block or two for either direction.</param>
    /// <param name="time">The clock.</param>
    public LargeBlockPoolFactory(int maxConnections, TimeProvider time)
    {
        _pool = new LargeBlockPool((int)Math.Clamp(2L * maxConnections, LeastKept, MostKept));
        _trim = time.CreateTimer(static pool => ((LargeBlockPool)pool!).Trim(), _pool, TrimInterval, TrimInterval);
    }

    /// <inheritdoc/>
    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => _pool;

    /// <inheritdoc/>
    public void Dispose()
    {
        _trim.Dispose();
        ((IDisposable)_pool).Dispose();
    }
}
