using CsCheck;
using Serve.LoadGenerator.Measurement;

namespace Serve.Tests.LoadGenerator;

public sealed class LatencyHistogramTests
{
    [Fact]
    public void Quantiles_are_right_to_one_percent_of_the_value()
    {
        Gen.Double[0, 9].Select(power => TimeSpan.FromTicks((long)Math.Pow(10, power))).Array[1, 300].Sample(values =>
        {
            var histogram = new LatencyHistogram();
            foreach (var value in values) histogram.Record(value);
            Array.Sort(values);
            foreach (var part in (double[])[0, .25, .5, .9, .99, 1])
            {
                var exact = values[Math.Max(0, (int)Math.Ceiling(part * values.Length) - 1)];
                Assert.InRange(histogram.Quantile(part).Ticks, (exact.Ticks * .99) - 1, (exact.Ticks * 1.01) + 1);
            }

            Assert.Equal((values.Length, values[0], values[^1]), ((int)histogram.Count, histogram.Min, histogram.Max));
        });
    }

    [Fact]
    public void Two_histograms_added_are_one_of_everything()
    {
        var (one, two, all) = (new LatencyHistogram(), new LatencyHistogram(), new LatencyHistogram());
        for (var i = 1; i <= 1000; i++)
        {
            (i % 3 == 0 ? one : two).Record(TimeSpan.FromMicroseconds(i));
            all.Record(TimeSpan.FromMicroseconds(i));
        }

        one.Add(two);
        Assert.Equal(all.Quantile(.5), one.Quantile(.5));
        Assert.Equal(all.Mean, one.Mean);
        Assert.Equal((all.Count, all.Max, all.Min), (one.Count, one.Max, one.Min));
        Assert.Equal(1000, one.Buckets().Sum(bucket => bucket.Count));
    }

    [Fact]
    public void Extremes_have_a_place()
    {
        var histogram = new LatencyHistogram();
        foreach (var value in (TimeSpan[])[TimeSpan.MinValue, TimeSpan.Zero, TimeSpan.FromTicks(1), TimeSpan.FromDays(365), TimeSpan.MaxValue]) histogram.Record(value);
        Assert.Equal(5, histogram.Count);
        Assert.Equal(TimeSpan.Zero, histogram.Min);
        Assert.True(histogram.Max > TimeSpan.FromDays(365));
        Assert.Equal(TimeSpan.Zero, new LatencyHistogram().Quantile(.99));
    }
}
