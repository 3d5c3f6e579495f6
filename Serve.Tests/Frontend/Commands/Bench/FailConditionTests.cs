using Serve.Frontend.Commands.Bench;
using Serve.LoadGenerator.Measurement;
using Serve.LoadGenerator.Reporting;

namespace Serve.Tests.Frontend.Commands.Bench;

public sealed class FailConditionTests
{
    [Theory]
    [InlineData("p99=200ms")]
    [InlineData("p95=200ms")]
    [InlineData("max=200ms")]
    [InlineData("mean=200ms")]
    public void A_server_that_has_stopped_answering_breaks_the_bound_although_all_answers_kept_it(string bound)
    {
        // Five seconds of answers, then five of nothing.
        var report = Report([.. Enumerable.Repeat(10.0, 500)], [.. Enumerable.Range(0, 500).Select(number => number * 10.0)]);

        Assert.Equal(10, report.Points[0].P99Milliseconds, 0.1);
        Assert.StartsWith($"Over {bound}: ", Assert.Single(FailCondition.Parse(bound).Violations(report)), StringComparison.Ordinal);
        Assert.Contains(BenchTables.Notes(report), note => note.StartsWith("At rate 100 500 requests had no answer yet at the end: counted for as long as they had waited, p99 is at least 4,", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("p50=9ms", true)]
    [InlineData("p50=11ms", false)]
    [InlineData("max=11ms", false)]
    public void What_has_only_just_been_sent_hides_no_slow_answers_and_breaks_no_bound(string bound, bool isOver)
    {
        var report = Report([.. Enumerable.Repeat(10.0, 100)], [.. Enumerable.Repeat(1.0, 1000)]);

        Assert.Equal(isOver, FailCondition.Parse(bound).Violations(report).Any());
        Assert.DoesNotContain(BenchTables.Notes(report), note => note.Contains("no answer yet", StringComparison.Ordinal));
    }

    [Fact]
    public void A_server_that_answers_nothing_at_all_breaks_the_bound_on_errors()
    {
        Assert.Equal("Over errors=1%: 100 % at rate 100.", Assert.Single(FailCondition.Parse("errors=1%").Violations(Report([], [5000]))));
        Assert.Empty(FailCondition.Parse("errors=1%").Violations(Report([10], [5000])));
        Assert.Empty(FailCondition.Parse("errors=1%").Violations(Report([], [])));
    }

    private static BenchReport Report(IReadOnlyList<double> answered, IReadOnlyList<double> unanswered)
    {
        var seen = new LoadWindow(1) { Elapsed = TimeSpan.FromSeconds(10) };
        foreach (var milliseconds in answered) seen.AddAnswer(0, 200, TimeSpan.FromMilliseconds(milliseconds), objective: null);
        var ages = new LatencyHistogram();
        foreach (var milliseconds in unanswered) ages.Record(TimeSpan.FromMilliseconds(milliseconds));
        var point = BenchPoint.Of(100, isOpen: true, new LoadFigures(seen, ages, 1, IsStable: true, WasInterrupted: false, Server: null, Threads: 1), ["m"]);
        return new BenchReport { At = DateTimeOffset.UnixEpoch, Url = "http://h", Targets = ["m"], Data = "d", Load = "rate", Points = [point] };
    }
}
