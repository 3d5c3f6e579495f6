using Microsoft.Extensions.Time.Testing;
using Serve.Core.Observability;

namespace Serve.Tests.Core.Observability;

public sealed class ExemplarGateTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly ExemplarGate _gate;

    public ExemplarGateTests() => _gate = new ExemplarGate(_time);

    [Fact]
    public void Of_requests_that_took_about_as_long_one_a_second_is_taken()
    {
        Assert.True(Take(1.1));
        Assert.False(Take(1.1));
        Assert.False(Take(2));
        _time.Advance(TimeSpan.FromSeconds(1) - TimeSpan.FromTicks(1));
        Assert.False(Take(1.5));
        _time.Advance(TimeSpan.FromTicks(1));
        Assert.True(Take(1.5));
        Assert.False(Take(1.5));
    }

    [Fact]
    public void A_request_that_took_longer_than_all_others_is_taken_at_once()
    {
        foreach (var milliseconds in (double[])[1.1, 3, 9, 4000]) Assert.True(Take(milliseconds));
        Assert.True(_gate.Take(TimeSpan.MaxValue));
    }

    [Fact]
    public void What_took_no_time_is_one_kind()
    {
        Assert.True(_gate.Take(TimeSpan.Zero));
        Assert.False(_gate.Take(TimeSpan.FromTicks(1)));
        Assert.False(_gate.Take(-TimeSpan.FromSeconds(1)));
    }

    private bool Take(double milliseconds) => _gate.Take(TimeSpan.FromMilliseconds(milliseconds));
}
