using Serve.Core.Scheduling;
using Serve.Tests.Simulation;

namespace Serve.Tests.Core.Scheduling;

public sealed class BucketChoiceTests(ITestOutputHelper output)
{
    private static readonly int[] Powers = [1, 2, 4, 8, 16, 32];

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(5, 4, 4)] // 6 ms for four instead of 10 ms for five
    [InlineData(7, 8, 7)] // 10 ms for seven instead of 6 ms for four
    [InlineData(8, 8, 8)]
    [InlineData(100, 32, 32)]
    public void The_least_cost_for_each_request_wins(int ready, int bucket, int rows) =>
        Assert.Equal(new BucketSelection(bucket, rows), BucketChoice.Choose(ready, Powers, Costs(2, 1)));

    [Fact]
    public void Where_a_batch_costs_the_same_at_any_size_nobody_is_left_behind() =>
        Assert.All(Enumerable.Range(1, 32), ready => Assert.Equal(ready, BucketChoice.Choose(ready, Powers, Costs(10, 0)).Rows));

    [Fact]
    public void A_size_that_was_never_measured_is_tried()
    {
        long[] costs = [1, 2, 4, 0, 16, 32];

        Assert.Equal(new BucketSelection(8, 5), BucketChoice.Choose(5, Powers, costs));
        Assert.Equal(new BucketSelection(2, 2), BucketChoice.Choose(3, Powers, costs)); // not where it would only pad
    }

    [Fact]
    public void The_choice_is_the_least_of_all_choices()
    {
        var random = new Random(11);
        for (var round = 0; round < 2_000; round++)
        {
            var buckets = Enumerable.Range(1, 64).Where(_ => random.Next(6) == 0).Append(64).Distinct().ToArray();
            var costs = buckets.Select(_ => (long)random.Next(1, 1000)).Order().ToArray();
            var ready = random.Next(1, 90);

            var chosen = BucketChoice.Choose(ready, buckets, costs);

            var least = buckets.Zip(costs).Min(pair => (double)pair.Second / Math.Min(ready, pair.First));
            Assert.Equal(least, (double)costs[Array.IndexOf(buckets, chosen.Bucket)] / chosen.Rows, 1e-9);
            Assert.Equal(Math.Min(ready, chosen.Bucket), chosen.Rows);
        }
    }

    [Fact]
    public void Without_buckets_or_with_too_few_costs_there_is_no_choice()
    {
        Assert.Throws<ArgumentException>(() => BucketChoice.Choose(1, [], []));
        Assert.Throws<ArgumentException>(() => BucketChoice.Choose(1, [1, 2], [5]));
        Assert.Throws<ArgumentOutOfRangeException>(() => BucketChoice.Choose(0, [1], [5]));
    }

    /// <summary>A device whose batches take 2 ms and 1 ms a row, padding included, as a transformer's do on a GPU that it fills.</summary>
    [Theory]
    [InlineData(60)]
    [InlineData(70)]
    [InlineData(80)]
    public void Always_padding_up_raises_the_mean_latency(int loadPercent)
    {
        var costs = Costs(2, 1);
        var least = MeanLatency(loadPercent, ready => BucketChoice.Choose(ready, Powers, costs));
        var paddedUp = MeanLatency(loadPercent, ready =>
        {
            var bucket = Powers.First(size => size >= Math.Min(ready, 32));
            return new BucketSelection(bucket, Math.Min(ready, bucket));
        });

        output.WriteLine($"{loadPercent} %: padding up {paddedUp:0.0} ms, least cost {least:0.0} ms, {paddedUp / least:0.00}");
        Assert.True(paddedUp > 1.25 * least, $"{paddedUp:0.0} ms against {least:0.0} ms");
    }

    private static long[] Costs(long fixedPart, long perRow) => [.. Powers.Select(size => fixedPart + (perRow * size))];

    /// <summary>Poisson arrivals at a share of what full batches could serve, one device, nothing but waiting and executing.</summary>
    private static double MeanLatency(int loadPercent, Func<int, BucketSelection> choose)
    {
        const int Requests = 60_000;
        var random = new Randomness(5);
        var costs = Costs(2, 1);
        var between = costs[^1] / 32.0 / (loadPercent / 100.0);
        var arrivals = new double[Requests];
        for (var i = 1; i < Requests; i++) arrivals[i] = arrivals[i - 1] + random.Exponential(between);

        var (now, served, arrived, total) = (0.0, 0, 0, 0.0);
        while (served < Requests)
        {
            while (arrived < Requests && arrivals[arrived] <= now) arrived++;
            if (arrived == served)
            {
                now = arrivals[arrived];
                continue;
            }

            var batch = choose(arrived - served);
            now += costs[Array.IndexOf(Powers, batch.Bucket)];
            for (var i = 0; i < batch.Rows; i++) total += now - arrivals[served++];
        }

        return total / Requests;
    }
}
