using Serve.Frontend.Tuning;

namespace Serve.Tests.Frontend.Tuning;

public sealed class TuneMemoryTests
{
    private const long GiB = 1L << 30;

    [Fact]
    public void Until_a_worker_was_measured_only_one_setting_is_loaded() => Assert.False(new TuneMemory(64 * GiB).Holds(2));

    [Fact]
    public void Half_of_the_memory_is_for_workers_by_the_largest_that_was_seen()
    {
        var memory = new TuneMemory(16 * GiB);
        memory.Learn(workers: 2, memory: 4 * GiB, deviceMemory: null, deviceTotal: null);
        memory.Learn(workers: 1, memory: GiB, deviceMemory: null, deviceTotal: null);
        Assert.True(memory.Holds(4));
        Assert.False(memory.Holds(5));
    }

    [Fact]
    public void The_devices_memory_bounds_it_too()
    {
        var memory = new TuneMemory(64 * GiB);
        memory.Learn(workers: 1, memory: GiB, deviceMemory: 3 * GiB, deviceTotal: 16 * GiB);
        Assert.True(memory.Holds(4));
        Assert.False(memory.Holds(5));
    }
}
