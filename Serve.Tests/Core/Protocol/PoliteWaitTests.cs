using Microsoft.Extensions.Time.Testing;
using Serve.Core.Protocol;

namespace Serve.Tests.Core.Protocol;

public sealed class PoliteWaitTests
{
    private readonly FakeTimeProvider _time = new();
    private int _yields;

    [Fact]
    public void Lets_others_run_before_each_wait_as_long_as_that_is_brief()
    {
        var wait = new PoliteWait(_time);
        for (var i = 0; i < 10_000; i++) wait.BeforeWaiting(() => Yield(microseconds: 100));
        Assert.Equal(10_000, _yields);
    }

    [Fact]
    public void Sleeps_at_once_for_a_while_after_others_have_kept_the_processor()
    {
        var wait = new PoliteWait(_time);
        for (var i = 0; i <= PoliteWait.Rest; i++) wait.BeforeWaiting(() => Yield(microseconds: 3000));
        Assert.Equal(1, _yields);

        wait.BeforeWaiting(() => Yield(microseconds: 10));
        wait.BeforeWaiting(() => Yield(microseconds: 10));
        Assert.Equal(3, _yields);
    }

    private void Yield(int microseconds)
    {
        _yields++;
        _time.Advance(TimeSpan.FromMicroseconds(microseconds));
    }
}
