using Microsoft.Extensions.Time.Testing;
using Serve.Core.Scheduling;
using Serve.Core.Workers;

namespace Serve.Tests.Core.Workers;

public sealed class WakeUpTimerTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly WakeUpTimer _timer;
    private readonly List<double> _wakes = [];

    public WakeUpTimerTests()
    {
        var start = _time.GetTimestamp();
        _timer = new WakeUpTimer(_time, () =>
        {
            if (_timer!.TryBegin()) _wakes.Add(_time.GetElapsedTime(start).TotalMilliseconds);
        });
    }

    public void Dispose() => _timer.Dispose();

    [Fact]
    public void It_fires_once_at_the_earliest_moment_that_was_asked_for()
    {
        WakeIn(50);
        WakeIn(20);
        WakeIn(80);
        Pass(100);
        Assert.Equal([21], _wakes);
    }

    [Fact]
    public void After_it_has_fired_it_takes_a_later_moment()
    {
        WakeIn(20);
        Pass(30);
        WakeIn(50);
        Pass(100);
        Assert.Equal([21, 81], _wakes);
    }

    [Fact]
    public void A_moment_that_has_passed_is_now()
    {
        WakeIn(-5);
        _time.Advance(TimeSpan.Zero);
        Assert.Equal([0], _wakes);
    }

    [Fact]
    public void It_is_never_armed_for_no_moment()
    {
        _timer.WakeAt(long.MaxValue);
        Pass(100);
        Assert.Empty(_wakes);
    }

    [Fact]
    public void Nobody_is_woken_after_its_end()
    {
        WakeIn(20);
        _timer.Dispose();
        WakeIn(10);
        Pass(30);
        Assert.Empty(_wakes);
        Assert.False(_timer.TryBegin());
    }

    private void WakeIn(int milliseconds) => _timer.WakeAt(_time.GetTimestamp() + _time.TicksOf(TimeSpan.FromMilliseconds(milliseconds)));

    private void Pass(int milliseconds)
    {
        for (var passed = 0; passed < milliseconds; passed++) _time.Advance(TimeSpan.FromMilliseconds(1));
    }
}
