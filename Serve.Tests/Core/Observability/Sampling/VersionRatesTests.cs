using Serve.Core.Observability;
using Serve.Core.Observability.Sampling;

namespace Serve.Tests.Core.Observability.Sampling;

public sealed class VersionRatesTests
{
    [Fact]
    public async Task Rates_are_of_what_happened_between_two_readings()
    {
        var token = TestContext.Current.CancellationToken;
        using var metrics = new ModelMetrics($"rates-{Guid.NewGuid():N}", "1.0");
        Answer(metrics, 10, 200, milliseconds: 400);
        metrics.BatchBegun(32);
        var reader = new InstrumentReader();
        var before = (await reader.ReadAsync([metrics], token))[metrics];

        Answer(metrics, 6, 200, milliseconds: 4);
        Answer(metrics, 3, 404, milliseconds: 4);
        Answer(metrics, 1, 503, milliseconds: 4);
        metrics.StageDone(RequestStage.Execute, TimeSpan.FromMilliseconds(2));
        metrics.StageDone(RequestStage.Execute, TimeSpan.FromMilliseconds(4));
        metrics.BatchBegun(1);
        metrics.BatchBegun(3);
        metrics.WorkerDied(WorkerDeath.Exited);
        var after = (await reader.ReadAsync([metrics], token))[metrics];
        var rates = VersionRates.Between(before, after, TimeSpan.FromSeconds(2));

        Assert.Equal((5.0, 0.5, 1.5), (rates.RequestsPerSecond, rates.ServerErrorsPerSecond, rates.ClientErrorsPerSecond));
        Assert.InRange(rates.Durations.Quantile(0.99)!.Value, 0.003, 0.005); // the slow ones came before
        Assert.Equal(2.0, rates.MeanBatch);
        Assert.Equal([(1.0, 0.5), (4.0, 0.5)], rates.Batches.Where(size => size.PerSecond > 0));
        var (stage, mean) = Assert.Single(rates.Stages);
        Assert.Equal(("execute", 3.0), (stage, mean.TotalMilliseconds), (a, b) => a.Item1 == b.Item1 && Math.Abs(a.Item2 - b.Item2) < 1e-6);
        Assert.Equal(1, after.WorkerDeaths);
    }

    [Fact]
    public void Of_a_version_that_does_nothing_only_its_rates_are_known()
    {
        var rates = VersionRates.Between(VersionReading.Nothing, VersionReading.Nothing, TimeSpan.FromSeconds(1));

        Assert.Equal(0, rates.RequestsPerSecond);
        Assert.Null(rates.MeanBatch);
        Assert.Null(rates.Durations.Quantile(0.5));
        Assert.Empty(rates.Stages);
    }

    private static void Answer(ModelMetrics metrics, int count, int status, double milliseconds)
    {
        for (var i = 0; i < count; i++)
        {
            metrics.RequestAccepted();
            metrics.RequestAnswered(status, TimeSpan.FromMilliseconds(milliseconds), 1, 1);
        }
    }
}
