using CsCheck;
using Serve.Core.Scheduling;

namespace Serve.Tests.Core.Scheduling;

public sealed class BatchCostModelTests
{
    private static readonly Gen<(int Rows, long Ticks)[]> Measurements = Gen.Select(Gen.Int[1, 64], Gen.Long[0, 1_000_000]).Array[1, 200];

    [Fact]
    public void It_is_told_for_powers_of_two_up_to_the_batch_size()
    {
        Assert.Equal([1, 2, 4, 8, 16, 32], new BatchCostModel(32).Sizes);
        Assert.Equal([1, 2, 4, 8, 10], new BatchCostModel(10).Sizes);
        Assert.Equal([1], new BatchCostModel(1).Sizes);
        Assert.Equal(13, new BatchCostModel(4096).Sizes.Count);
    }

    [Fact]
    public void Without_measurements_it_says_nothing()
    {
        var cost = new BatchCostModel(32);
        Assert.Equal((0, 0, false), (cost.Mean(8), cost.P99(8), cost.HasEvidence));
        cost.Learn(8, 100);
        cost.Learn(8, 100);
        Assert.False(cost.HasEvidence);
        cost.Learn(8, 100);
        Assert.True(cost.HasEvidence);
    }

    [Fact]
    public void Sizes_that_did_not_occur_lie_on_the_line_between_those_that_did()
    {
        var cost = Learnt(32, 1, 32);
        for (var rows = 1; rows <= 32; rows++) Assert.InRange(cost.Mean(rows), Affine(rows) - 2, Affine(rows) + 2);
    }

    [Fact]
    public void Beyond_the_sizes_that_occurred_the_line_goes_on()
    {
        var cost = Learnt(32, 8, 16);
        Assert.InRange(cost.Mean(32), Affine(32) - 2, Affine(32) + 2);
        Assert.InRange(cost.Mean(1), Affine(1) - 2, Affine(1) + 2);
    }

    [Fact]
    public void A_single_size_promises_the_same_for_larger_ones_so_that_no_guess_refuses()
    {
        var cost = Learnt(32, 1);
        Assert.Equal(Affine(1), cost.Mean(32));
    }

    [Fact]
    public void Batches_of_any_sizes_are_learnt_within_some_dozens()
    {
        Gen.Int[1, 32].Array[400, 400].Sample(
            sizes =>
            {
                var cost = new BatchCostModel(32);
                foreach (var rows in sizes) cost.Learn(rows, Affine(rows));
                foreach (var rows in cost.Sizes) Assert.InRange(cost.Mean(rows), 0.97 * Affine(rows), 1.03 * Affine(rows));
            },
            iter: 100);
    }

    [Fact]
    public void The_time_never_falls_with_the_size_and_the_99th_percentile_is_never_under_the_mean() => Measurements.Sample(
        measurements =>
        {
            var cost = new BatchCostModel(64);
            foreach (var (rows, ticks) in measurements)
            {
                cost.Learn(rows, ticks);
                long mean = 0, p99 = 0;
                for (var n = 1; n <= 70; n++)
                {
                    Assert.True(cost.Mean(n) >= mean, $"T({n}) is {cost.Mean(n)} after {mean}.");
                    Assert.True(cost.P99(n) >= p99, $"The 99th percentile of {n} is {cost.P99(n)} after {p99}.");
                    (mean, p99) = (cost.Mean(n), cost.P99(n));
                    Assert.True(p99 >= mean);
                }
            }
        },
        iter: 500);

    [Fact]
    public void It_stays_within_what_was_measured_at_the_sizes_that_were_measured() => Gen.Long[1, 1_000_000].Array[1, 300].Sample(
        times =>
        {
            var cost = new BatchCostModel(8);
            foreach (var ticks in times) cost.Learn(8, ticks);
            Assert.InRange(cost.Mean(8), times.Min() - 1, times.Max() + 1);
        },
        iter: 500);

    [Fact]
    public void A_worker_that_stood_still_for_five_seconds_changes_the_mean_by_a_sixteenth()
    {
        var cost = Learnt(32, 1, 32);
        var before = cost.Mean(32);
        cost.Learn(32, 5_000_000);
        Assert.InRange(cost.Mean(32), before, before * 1.07);
        Assert.InRange(cost.P99(32), before, before * 2.2);
    }

    [Fact]
    public void A_cold_first_batch_does_not_count_once_there_are_others()
    {
        var cost = new BatchCostModel(32);
        cost.Learn(1, 500_000);
        for (var i = 0; i < 2; i++) cost.Learn(1, 10_000);
        Assert.Equal(10_000, cost.Mean(1));
    }

    [Fact]
    public void A_model_that_has_become_ten_times_as_slow_is_believed_after_some_dozens_of_batches()
    {
        var cost = Learnt(32, 1, 32);
        for (var i = 0; i < 60; i++) cost.Learn(32, 10 * Affine(32));
        Assert.InRange(cost.Mean(32), 8 * Affine(32), 10 * Affine(32));
        for (var i = 0; i < 60; i++) cost.Learn(32, Affine(32));
        Assert.InRange(cost.Mean(32), Affine(32), 1.3 * Affine(32));
    }

    [Fact]
    public void The_99th_percentile_is_that_of_the_last_hundred()
    {
        var cost = new BatchCostModel(8);
        for (var i = 0; i < 300; i++) cost.Learn(8, i % 50 == 0 ? 1_500 : 1_000);
        Assert.InRange(cost.P99(8), 1_400, 1_600);
        for (var i = 0; i < 100; i++) cost.Learn(8, 1_000);
        Assert.InRange(cost.P99(8), 990, 1_060);
    }

    [Fact]
    public void A_stale_size_yields_to_fresh_measurements_of_a_larger_one()
    {
        var cost = Learnt(32, 1);
        for (var i = 0; i < 300; i++) cost.Learn(32, Affine(1) / 2);
        Assert.InRange(cost.Mean(32), 0.95 * Affine(1) / 2, 1.05 * Affine(1) / 2);
        Assert.True(cost.Mean(1) <= cost.Mean(32));
    }

    // In microseconds: the device of the simulation.
    private static long Affine(int rows) => 10_000 + 200 * rows;

    private static BatchCostModel Learnt(int batchSize, params int[] sizes)
    {
        var cost = new BatchCostModel(batchSize);
        for (var i = 0; i < 50; i++)
        {
            foreach (var rows in sizes) cost.Learn(rows, Affine(rows));
        }

        return cost;
    }
}
