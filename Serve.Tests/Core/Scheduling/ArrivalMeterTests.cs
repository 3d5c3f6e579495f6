using Microsoft.Extensions.Time.Testing;
using Serve.Core.Scheduling;

namespace Serve.Tests.Core.Scheduling;

public sealed class ArrivalMeterTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly ArrivalMeter _meter;

    public ArrivalMeterTests() => _meter = new ArrivalMeter(TimeSpan.FromSeconds(10), _time.TimestampFrequency);

    [Fact]
    public void Nothing_has_arrived_at_first() => Assert.Equal(0, Rate);

    [Fact]
    public void A_steady_load_is_told_soon_and_stays()
    {
        Arrive(perSecond: 200, seconds: 1);
        Assert.InRange(Rate, 190, 215);
        Arrive(perSecond: 200, seconds: 60);
        Assert.InRange(Rate, 196, 204);
    }

    [Fact]
    public void Rows_count_and_not_requests()
    {
        for (var i = 0; i < 3_000; i++)
        {
            _meter.Add(4, _time.GetTimestamp());
            _time.Advance(TimeSpan.FromMilliseconds(10));
        }

        Assert.InRange(Rate, 390, 410);
    }

    [Fact]
    public void What_was_a_time_constant_ago_counts_for_a_third()
    {
        Arrive(perSecond: 100, seconds: 100);
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.InRange(Rate, 35, 38);
        _time.Advance(TimeSpan.FromSeconds(60));
        Assert.InRange(Rate, 0, 0.2);
    }

    [Fact]
    public void A_change_is_followed_within_some_time_constants()
    {
        Arrive(perSecond: 100, seconds: 60);
        Arrive(perSecond: 500, seconds: 40);
        Assert.InRange(Rate, 480, 505);
    }

    [Fact]
    public void A_single_request_is_no_flood()
    {
        _meter.Add(1, _time.GetTimestamp());
        Assert.InRange(Rate, 0, 11);
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.InRange(Rate, 0, 0.3);
    }

    private double Rate => _meter.PerSecond(_time.GetTimestamp());

    private void Arrive(int perSecond, int seconds)
    {
        for (var i = 0; i < perSecond * seconds; i++)
        {
            _meter.Add(1, _time.GetTimestamp());
            _time.Advance(TimeSpan.FromSeconds(1.0 / perSecond));
        }
    }
}
