using Serve.Core.Workers;

namespace Serve.Tests.Core.Workers;

public sealed class TouchedWorkersTests : IDisposable
{
    private readonly TouchedWorkers _touched = new();
    private readonly TestWorker _one = new();
    private readonly TestWorker _other = new();

    public void Dispose()
    {
        _one.Dispose();
        _other.Dispose();
    }

    [Fact]
    public void Frames_for_an_idle_worker_are_sent_on_the_requests_thread()
    {
        _touched.Add(_one, wasIdle: true);
        _touched.Add(_one, wasIdle: false); // no longer idle, by the first frame
        var frames = _touched.Take();
        Assert.True(frames.AreUrgent);
        frames.Flush(evenIfBusy: false);
        Assert.Equal([true], _one.Flushes);
    }

    [Fact]
    public void Those_for_a_busy_one_are_left_to_its_sender()
    {
        _touched.Add(_one, wasIdle: false);
        var frames = _touched.Take();
        Assert.False(frames.AreUrgent);
        frames.Flush(evenIfBusy: false);
        Assert.Equal([false], _one.Flushes);
    }

    [Fact]
    public void Each_of_several_workers_is_flushed_once()
    {
        _touched.Add(_one, wasIdle: true);
        _touched.Add(_other, wasIdle: false);
        _touched.Add(_one, wasIdle: false);
        var frames = _touched.Take();
        Assert.True(frames.AreUrgent);
        frames.Flush(evenIfBusy: true);
        Assert.Equal([true], _one.Flushes);
        Assert.Equal([true], _other.Flushes);
    }

    [Fact]
    public void What_was_taken_is_not_taken_again()
    {
        _touched.Add(_one, wasIdle: true);
        _touched.Take();
        _touched.Take().Flush(evenIfBusy: true);
        Assert.Empty(_one.Flushes);

        _touched.Add(_one, wasIdle: false);
        _touched.Take().Flush(evenIfBusy: true);
        Assert.Equal([true], _one.Flushes);
    }
}
