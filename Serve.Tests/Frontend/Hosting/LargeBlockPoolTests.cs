using Microsoft.Extensions.Time.Testing;
using Serve.Frontend.Hosting;

namespace Serve.Tests.Frontend.Hosting;

public sealed class LargeBlockPoolTests
{
    [Fact]
    public void Blocks_have_64_KiB_and_come_back()
    {
        using var pool = new LargeBlockPool(mostKept: 4);
        var block = pool.Rent(4096);
        Assert.Equal(64 << 10, block.Memory.Length);
        block.Dispose();
        Assert.Equal(1, pool.Kept);
        Assert.Same(block, pool.Rent());
        Assert.Equal(0, pool.Kept);
    }

    [Fact]
    public void Blocks_beyond_the_cap_are_allocated_and_dropped()
    {
        using var pool = new LargeBlockPool(mostKept: 4);
        var blocks = Enumerable.Range(0, 10).Select(_ => pool.Rent()).ToList();
        foreach (var block in blocks) block.Dispose();
        Assert.Equal(4, pool.Kept);
    }

    [Fact]
    public void A_block_disposed_twice_comes_back_once()
    {
        using var pool = new LargeBlockPool(mostKept: 4);
        var block = pool.Rent();
        block.Dispose();
        block.Dispose();
        Assert.Equal(1, pool.Kept);
        Assert.NotSame(pool.Rent(), pool.Rent());
    }

    [Fact]
    public void More_than_a_block_is_refused()
    {
        using var pool = new LargeBlockPool(mostKept: 4);
        Assert.Throws<ArgumentOutOfRangeException>(() => pool.Rent((64 << 10) + 1));
    }

    [Fact]
    public void A_disposed_pool_keeps_nothing()
    {
        var pool = new LargeBlockPool(mostKept: 4);
        var block = pool.Rent();
        ((IDisposable)pool).Dispose();
        block.Dispose();
        Assert.Equal(0, pool.Kept);
        Assert.Throws<ObjectDisposedException>(() => pool.Rent());
    }

    [Fact]
    public void After_a_burst_the_blocks_are_let_go()
    {
        using var pool = new LargeBlockPool(mostKept: 100);
        var blocks = Enumerable.Range(0, 64).Select(_ => pool.Rent()).ToList();
        foreach (var block in blocks) block.Dispose();

        pool.Trim(); // what was free all the time since the last call: nothing yet
        Assert.Equal(64, pool.Kept);
        pool.Trim();
        Assert.Equal(32, pool.Kept);
        for (var i = 0; i < 10; i++) pool.Trim();
        Assert.Equal(0, pool.Kept);
    }

    [Fact]
    public void The_factory_trims_by_its_clock()
    {
        var time = new FakeTimeProvider();
        using var factory = new LargeBlockPoolFactory(maxConnections: 100, time);
        var pool = (LargeBlockPool)factory.Create();
        pool.Rent().Dispose();
        Assert.Equal(1, pool.Kept);
        time.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal(0, pool.Kept);
    }

    [Fact]
    public void Blocks_are_never_in_two_hands_at_once()
    {
        using var pool = new LargeBlockPool(mostKept: 8);
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8 }, id =>
        {
            for (var i = 0; i < 2000; i++)
            {
                using var block = pool.Rent();
                block.Memory.Span[0] = (byte)id;
                Thread.Yield();
                Assert.Equal((byte)id, block.Memory.Span[0]);
            }
        });
        Assert.InRange(pool.Kept, 0, 8);
    }
}
