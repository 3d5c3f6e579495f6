using System.Text;
using Serve.Core.Observability.Sampling;

namespace Serve.Tests.Core.Observability.Sampling;

public sealed class HistogramCountsTests
{
    private static readonly double[] Bounds = [1, 2, 4, double.PositiveInfinity];

    [Theory]
    [InlineData(0.5, 1.5)]  // the second of four lies in the middle of (1, 2]: one of two
    [InlineData(0.25, 1.0)]
    [InlineData(1.0, 4.0)]
    [InlineData(0.0, 0.0)]
    public void A_quantile_is_interpolated_within_its_bucket(double share, double expected) =>
        Assert.Equal(expected, new HistogramCounts(Bounds, [1, 2, 1, 0]).Quantile(share));

    [Fact]
    public void The_quantile_of_nothing_is_not_known()
    {
        Assert.Null(new HistogramCounts(Bounds, [0, 0, 0, 0]).Quantile(0.5));
        Assert.Null(HistogramCounts.Empty.Quantile(0.5));
    }

    [Fact]
    public void What_lies_beyond_all_bounds_is_said_to_be_the_last_of_them() =>
        Assert.Equal(4, new HistogramCounts(Bounds, [0, 0, 0, 3]).Quantile(0.99));

    [Fact]
    public void Readings_subtract_and_versions_add_up()
    {
        var (earlier, later) = (new HistogramCounts(Bounds, [1, 0, 5, 0]), new HistogramCounts(Bounds, [4, 1, 5, 0]));

        Assert.Equal([3, 1, 0, 0], (later - earlier).Counts);
        Assert.Equal([4, 1, 5, 0], (later - HistogramCounts.Empty).Counts);
        Assert.Equal([5, 1, 10, 0], (earlier + later).Counts);
        Assert.Equal(later, HistogramCounts.Empty + later);
        Assert.Equal(later, later + HistogramCounts.Empty);
    }

    [Fact]
    public void Buckets_are_read_from_a_scrape_by_model_and_version()
    {
        var read = HistogramText.Read(Encoding.ASCII.GetBytes("""
            # TYPE x histogram
            x_sum{model="a",version="1.0"} 0.3
            x_count{model="a",version="1.0"} 3
            x_bucket{model="a",version="1.0",le="0.5"} 1
            x_bucket{model="a",version="1.0",le="1"} 3
            x_bucket{model="a",version="1.0",le="+Inf"} 3
            x_bucket{model="b",version="2.0",le="0.5"} 0
            x_bucket{model="b",version="2.0",le="+Inf"} 7 1700000000
            xy_bucket{model="b",version="2.0",le="9"} 9
            """), "x");

        Assert.Equal([("a", "1.0"), ("b", "2.0")], read.Keys.Order());
        Assert.Equal([0.5, 1, double.PositiveInfinity], read[("a", "1.0")].Bounds);
        Assert.Equal([1, 2, 0], read[("a", "1.0")].Counts);
        Assert.Equal([0, 7], read[("b", "2.0")].Counts);
    }
}
