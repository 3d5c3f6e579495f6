using System.Diagnostics;
using System.Globalization;
using Serve.LoadGenerator.Load;
using Serve.LoadGenerator.Measurement;
using Serve.LoadGenerator.Sweeps;

namespace Serve.Tests.LoadGenerator;

public sealed class ScheduleTests
{
    [Fact]
    public void Arrivals_are_as_many_as_asked_for_and_as_irregular_as_chance()
    {
        var schedule = new PoissonSchedule(200, seed: 1, start: 0);
        var gaps = new List<double>();
        long last = 0;
        for (var i = 0; i < 20_000; i++)
        {
            gaps.Add((schedule.Next - last) / (double)Stopwatch.Frequency);
            last = schedule.Next;
            schedule.Advance();
        }

        // Exponential: mean and standard deviation are the same, 5 ms.
        var mean = gaps.Average();
        var deviation = Math.Sqrt(gaps.Average(gap => (gap - mean) * (gap - mean)));
        Assert.InRange(mean, .0049, .0051);
        Assert.InRange(deviation, .0048, .0052);
        Assert.All(gaps, gap => Assert.True(gap >= 0));
    }

    [Fact]
    public void The_same_seed_gives_the_same_arrivals()
    {
        Assert.Equal(First(7), First(7));
        Assert.NotEqual(First(7), First(8));

        static long[] First(int seed)
        {
            var schedule = new PoissonSchedule(100, seed, start: 1000);
            return [.. Enumerable.Range(0, 50).Select(_ =>
            {
                schedule.Advance();
                return schedule.Next;
            })];
        }
    }

    [Theory]
    [InlineData(0, 0, "12.955 29.956 44.567")]
    [InlineData(7, 0, "4.832 25.332 36.147")]
    [InlineData(7, 1, "11.558 13.042 17.188")]
    public void The_arrivals_of_a_seed_are_the_same_in_every_process(int seed, int thread, string milliseconds)
    {
        var schedule = new PoissonSchedule(100, seed, start: 0, thread);
        var arrivals = Enumerable.Range(0, 3).Select(_ =>
        {
            var next = schedule.Next;
            schedule.Advance();
            return (next / (Stopwatch.Frequency / 1000.0)).ToString("0.###", CultureInfo.InvariantCulture);
        });
        Assert.Equal(milliseconds, string.Join(' ', arrivals));
    }

    [Fact]
    public void Each_target_has_its_share_in_any_stretch()
    {
        var mix = new TargetMix([new LoadTarget("a", [new byte[1]], 3), new LoadTarget("b", [new byte[2], new byte[3]])]);
        var sent = Enumerable.Range(0, 80).Select(_ => mix.Next()).ToList();
        for (var i = 0; i + 4 <= sent.Count; i++) Assert.Single(sent.Skip(i).Take(4), request => request.Target == 1);
        Assert.Equal([2, 3, 2, 3], sent.Where(request => request.Target == 1).Take(4).Select(request => request.Request.Length));
    }

    [Theory]
    [InlineData("16", "16")]
    [InlineData("1,4,16", "1 4 16")]
    [InlineData("1:8:1", "1 2 3 4 5 6 7 8")]
    [InlineData("1:4", "1 2 3 4")]
    [InlineData("1:64:x2", "1 2 4 8 16 32 64")]
    [InlineData("50:400:150", "50 200 350")]
    [InlineData("0.1:0.5:0.1", "0.1 0.2 0.3 0.4 0.5")]
    [InlineData("1, 10:20:10", "1 10 20")]
    public void A_sweep_is_written_as_people_write_it(string text, string values) =>
        Assert.Equal(values, string.Join(' ', SweepExpression.Parse(text).Select(value => Math.Round(value, 9).ToString(System.Globalization.CultureInfo.InvariantCulture))));

    [Theory]
    [InlineData("")]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("many")]
    [InlineData("8:1:1")]
    [InlineData("1:8:0")]
    [InlineData("1:8:x1")]
    [InlineData("1:8:2:3")]
    [InlineData("1:99999999999:1")]
    [InlineData("1:1000000000000000000000000000:x1.0001")]
    [InlineData("NaN")]
    [InlineData("1,,2")]
    public void What_is_no_sweep_is_refused(string text) => Assert.Throws<FormatException>(() => SweepExpression.Parse(text));

    [Fact]
    public void Clients_are_whole() => Assert.Throws<FormatException>(() => SweepExpression.ParseCounts("1:3:0.5"));

    [Fact]
    public void A_load_has_settled_when_three_windows_agree_in_throughput_and_latency()
    {
        Assert.False(Settles((100, 10), (100, 10)));
        Assert.True(Settles((100, 10), (105, 10.5), (98, 9.8)));
        Assert.True(Settles((10, 90), (500, 3), (100, 10), (105, 10.5), (98, 9.8)));
        Assert.False(Settles((100, 10), (105, 10.5), (130, 9.8)));
        Assert.False(Settles((100, 10), (105, 20), (98, 9.8)));
        Assert.False(Settles((0, 0), (0, 0), (0, 0)));

        static bool Settles(params (int Answers, double Milliseconds)[] windows) => WindowStability.IsStable([.. windows.Select(window =>
        {
            var seen = new LoadWindow(1) { Elapsed = TimeSpan.FromSeconds(1) };
            for (var i = 0; i < window.Answers; i++) seen.AddAnswer(0, 200, TimeSpan.FromMilliseconds(window.Milliseconds), null);
            return seen;
        })], tolerance: .1);
    }
}
