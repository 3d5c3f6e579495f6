using Serve.Core.Scheduling;
using Serve.Tests.Simulation;

namespace Serve.Tests.Core.Scheduling;

public sealed class PredictionErrorTests
{
    private readonly PredictionError _error = new();
    private readonly Randomness _random = new(1);

    [Fact]
    public void Predictions_that_are_kept_need_no_margin()
    {
        Learn(1_000, () => -_random.Exponential(1_000));
        Assert.InRange(_error.Margin, 0, 600);
    }

    [Fact]
    public void The_margin_is_kept_by_about_98_of_100()
    {
        Learn(20_000, () => _random.Exponential(1_000));
        var broken = 0;
        Learn(20_000, () =>
        {
            var late = _random.Exponential(1_000);
            if (late > _error.Margin) broken++;
            return late;
        });
        Assert.InRange(broken, 300, 500);
    }

    [Fact]
    public void A_worker_that_stood_still_for_long_costs_no_more_than_one_that_did_so_briefly()
    {
        Learn(32, () => 1e9);
        Assert.Equal(32 * 50, _error.Margin);
        Learn(2_000, () => 0);
        Assert.Equal(0, _error.Margin);
    }

    private void Learn(int count, Func<double> ticks)
    {
        for (var i = 0; i < count; i++) _error.Learn((long)ticks(), ticksOfRow: 100);
    }
}
