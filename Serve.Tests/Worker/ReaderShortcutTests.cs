using Microsoft.Extensions.Time.Testing;
using Serve.Worker.Pipeline;

namespace Serve.Tests.Worker;

public sealed class ReaderShortcutTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly PendingRequests _pending;

    public ReaderShortcutTests() => _pending = new PendingRequests(new NoWork(), new RequestPool(), instances: 1, _time);

    [Theory]
    [InlineData(1, 0.19, true)]
    [InlineData(1, 0.21, false)]
    [InlineData(2, 0.04, true)]
    [InlineData(2, 0.06, false)]
    public void What_takes_less_than_a_hop_moves_to_the_reader(int instances, double milliseconds, bool moves)
    {
        var shortcut = Shortcut(instances);
        Device(shortcut, ReaderShortcut.Trial - 1, milliseconds);
        Assert.False(_pending.RunsOnReader);
        Device(shortcut, 1, milliseconds);
        Assert.Equal(moves, _pending.RunsOnReader);
    }

    [Fact]
    public void Only_what_may_run_there_does()
    {
        var shortcut = new ReaderShortcut(_pending, isAllowed: false, 1, _time);
        Device(shortcut, 1000, 0.01);
        Assert.False(_pending.RunsOnReader);
    }

    [Fact]
    public void A_batch_during_which_somebody_else_had_the_processor_does_not_decide_alone()
    {
        var shortcut = Shortcut();
        Device(shortcut, 1, 19);
        Device(shortcut, ReaderShortcut.Trial - 1, 0.01);
        Assert.True(_pending.RunsOnReader);

        Reader(shortcut, 1, 19);
        Assert.True(_pending.RunsOnReader);
    }

    [Fact]
    public void What_failed_is_tried_again_after_twice_as_many_batches_each_time()
    {
        var shortcut = Shortcut();
        Device(shortcut, ReaderShortcut.Trial, 1);
        foreach (var wait in (int[])[ReaderShortcut.Trial, 2 * ReaderShortcut.Trial])
        {
            Device(shortcut, wait, 0.01); // these do not count
            Device(shortcut, ReaderShortcut.Trial - 1, 0.01);
            Assert.False(_pending.RunsOnReader);
            Device(shortcut, 1, wait == ReaderShortcut.Trial ? 20 : 0.01);
        }

        Assert.True(_pending.RunsOnReader);
    }

    [Fact]
    public void What_becomes_slow_on_the_reader_goes_back_and_may_return()
    {
        var shortcut = Shortcut();
        Device(shortcut, ReaderShortcut.Trial, 0.01);
        Reader(shortcut, 1000, 0.24);
        Assert.True(_pending.RunsOnReader);
        Reader(shortcut, 1000, 0.26);
        Assert.False(_pending.RunsOnReader);

        Device(shortcut, 2 * ReaderShortcut.Trial, 0.01);
        Assert.True(_pending.RunsOnReader);
        Reader(shortcut, 1, 20);
        Assert.False(_pending.RunsOnReader);
    }

    private ReaderShortcut Shortcut(int instances = 1) => new(_pending, isAllowed: true, instances, _time);

    private void Device(ReaderShortcut shortcut, int batches, double milliseconds)
    {
        for (var i = 0; i < batches; i++) shortcut.ObserveOnDevice(Ticks(milliseconds));
    }

    private void Reader(ReaderShortcut shortcut, int batches, double milliseconds)
    {
        for (var i = 0; i < batches && _pending.RunsOnReader; i++) shortcut.ObserveOnReader(Ticks(milliseconds));
    }

    private long Ticks(double milliseconds) => (long)(milliseconds / 1e3 * _time.TimestampFrequency);

    private sealed class NoWork : StubWork
    {
        public override bool Decodes => false;

        public override int MaxBatchRows => 1;
    }
}
