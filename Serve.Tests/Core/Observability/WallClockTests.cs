using Microsoft.Extensions.Time.Testing;
using Serve.Core.Observability;

namespace Serve.Tests.Core.Observability;

public sealed class WallClockTests
{
    private static readonly DateTimeOffset Origin = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private readonly ShiftedTime _time = new();
    private readonly WallClock _clock;

    public WallClockTests() => _clock = new WallClock(_time);

    [Fact]
    public void Timestamps_before_and_after_a_reading_have_their_times()
    {
        var timestamp = _time.GetTimestamp();
        foreach (var milliseconds in (int[])[0, 999, -250, -5000])
        {
            var at = timestamp + milliseconds * _time.TimestampFrequency / 1000;
            Assert.Equal(Origin.AddMilliseconds(milliseconds), _clock.TimeOf(at));
            Assert.Equal((ulong)Origin.AddMilliseconds(milliseconds).ToUnixTimeMilliseconds() * 1_000_000, _clock.NanosecondsOf(at));
        }
    }

    [Fact]
    public void A_clock_that_is_set_is_noticed_within_a_second()
    {
        Assert.Equal(Origin, _clock.TimeOf(_time.GetTimestamp()));
        _time.Shift = TimeSpan.FromHours(1);
        _time.Advance(TimeSpan.FromMilliseconds(900));
        Assert.Equal(Origin.AddSeconds(0.9), _clock.TimeOf(_time.GetTimestamp()));

        _time.Advance(TimeSpan.FromMilliseconds(100));
        Assert.Equal(Origin.AddSeconds(1).AddHours(1), _clock.TimeOf(_time.GetTimestamp()));
    }

    [Fact]
    public void Nanoseconds_go_by_one_reading_until_it_is_set_again()
    {
        var before = _clock.NanosecondsOf(_time.GetTimestamp());
        _time.Shift = TimeSpan.FromHours(1);
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(before + 2_000_000_000, _clock.NanosecondsOf(_time.GetTimestamp()));

        _clock.Set();
        Assert.Equal(before + 3_602_000_000_000, _clock.NanosecondsOf(_time.GetTimestamp()));
    }

    /// <summary>Somebody sets the world's clock.</summary>
    private sealed class ShiftedTime() : FakeTimeProvider(Origin)
    {
        public TimeSpan Shift { get; set; }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Shift;

        // The class makes them of the time.
        public override long GetTimestamp() => base.GetTimestamp() - Shift.Ticks * TimestampFrequency / TimeSpan.TicksPerSecond;
    }
}
