namespace Serve.Tests.Monitoring;

public sealed class PromqlTests
{
    [Theory]
    [InlineData("""sum by (job, le) (rate(a_bucket{stage="queue (b)"}[5m])) / on (job) group_left (x) model:b:rate5m""", "a_bucket model:b:rate5m")]
    [InlineData("0 < a < on (job) b and 1e3 * c > 0.5 or d offset 5m unless vector(1) # e", "a b c d")]
    [InlineData("histogram_quantile(0.99, sum without (instance) (rate(x_seconds_bucket[$__rate_interval])))", "x_seconds_bucket")]
    public void The_series_of_an_expression_are_found(string expression, string series) => Assert.Equal(series.Split(' '), Promql.Series(expression).Order(StringComparer.Ordinal));
}
