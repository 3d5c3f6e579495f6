using Serve.Core.Scheduling;
using Serve.Tests.Simulation;

namespace Serve.Tests.Core.Scheduling;

public sealed class PredictionErrorTests
{
    private readonly PredictionError _error = new(halfLife: 1_000_000);
    private readonly Randomness _random = new(1);

    [Fact]
    public void Predictions_that_are_kept_need_no_margin()
    {
        Learn(1_000, () => -_random.Exponential(1_000));
        Assert.InRange(_error.MarginAt(0), 0, 600);
    }

    [Fact]
    public void The_margin_is_kept_by_about_199_of_200()
    {
        Learn(20_000, () => _random.Exponential(1_000));
        var broken = 0;
        Learn(20_000, () =>
        {
            var late = _random.Exponential(1_000);
            if (late > _error.MarginAt(0)) broken++;
            return late;
        });
        Assert.InRange(broken, 60, 150);
    }

    [Fact]
    public void A_worker_that_stood_still_for_long_costs_no_more_than_one_that_did_so_briefly()
    {
        Learn(32, () => 1e9);
        Assert.Equal(32 * 50, _error.MarginAt(0));
        Learn(8_000, () => 0);
        Assert.Equal(0, _error.MarginAt(0));
    }

    [Fact]
    public void A_margin_that_refuses_everybody_shrinks_although_nobody_is_left_to_show_that_it_is_too_large()
    {
        Learn(1_000, () => 1e9);
        Assert.Equal(50_000, _error.MarginAt(0));
        Assert.Equal(25_000, _error.MarginAt(1_000_000));
        Assert.InRange(_error.MarginAt(10_000_000), 0, 50);
    }

    private void Learn(int count, Func<double> ticks)
    {
        for (var i = 0; i < count; i++) _error.Learn((long)ticks(), ticksOfRow: 100, now: 0);
    }
}
