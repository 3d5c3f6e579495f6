using Serve.Frontend.Tuning;

namespace Serve.Tests.Frontend.Tuning;

/// <summary>The search against models whose best setting is known, measured with noise.</summary>
public sealed class TuneSearchTests
{
    private static readonly TuneSpace Space = new(new Dictionary<TuneDimension, IReadOnlyList<int>>
    {
        [TuneDimension.BatchSize] = [1, 2, 4, 8, 16, 32, 64],
        [TuneDimension.Instances] = [1, 2, 4],
        [TuneDimension.Workers] = [1, 2, 4],
        [TuneDimension.Delay] = [0, 10],
        [TuneDimension.DecodeThreads] = [0, 4],
        [TuneDimension.IntraOpThreads] = [0, 1, 4],
    });

    [Fact]
    public void A_setting_under_which_requests_fail_is_not_chosen()
    {
        var ranking = new TuneRanking(200);
        var (failing, slow, late) = (One(1, 900, 20) with { Errors = 1, FirstError = "400 no picture" }, One(2, 300, 30), One(4, 500, 300));
        Assert.False(ranking.IsWithin(failing));
        Assert.Same(slow, ranking.Best([failing, slow, late]));
        Assert.Same(late, ranking.Best([failing, late]));
        Assert.Equal("1 errors: 400 no picture", TuneTexts.Errors(failing));

        static TuneResult One(int batchSize, double perSecond, double p99) =>
            new() { Setting = new TuneSetting(batchSize, 1, 1), Effort = TuneEffort.Full, PerSecond = perSecond, P99Milliseconds = p99 };
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public void On_a_device_that_takes_one_batch_at_a_time_the_largest_batch_with_nothing_else_wins(int seed)
    {
        // 10 ms + 0.2 ms a row: more workers, instances or a delay gain nothing.
        var (best, search) = Find(setting => Result(setting, setting.BatchSize / (.010 + (.0002 * setting.BatchSize))), seed, bound: null);
        Assert.Equal(new TuneSetting(64, 1, 1), best.Setting);
        Assert.True(search.Results.Count < Space.Count / 3);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void A_bound_keeps_the_batch_small(int seed)
    {
        // Two batches in flight: latency is twice the batch's time. 2 * (10 + 0.2 * 32) = 32.8 ms, 64: 45.6 ms.
        var (best, _) = Find(setting => Result(setting, setting.BatchSize / (.010 + (.0002 * setting.BatchSize))) with { P99Milliseconds = 2 * (10 + (.2 * setting.BatchSize)) }, seed, bound: 40);
        Assert.Equal(new TuneSetting(32, 1, 1), best.Setting);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void On_a_processor_where_everything_interacts_the_choice_is_within_five_percent_of_the_best(int seed)
    {
        // Four cores: executions share them, batches saturate at 8 and fall behind a little at 64, decoding wants its threads.
        double Throughput(TuneSetting setting)
        {
            var executions = setting.Instances * setting.Workers;
            var threads = setting.IntraOpThreads == 0 ? Math.Max(1, 4 / executions) : setting.IntraOpThreads;
            var use = Math.Min(1, executions * Math.Pow(threads, .9) / 4) / Math.Max(1, executions * threads / 5.0);
            var batch = setting.BatchSize / (setting.BatchSize + 1.5) * (setting.BatchSize > 32 ? .93 : 1);
            return 100 * use * batch * (setting.DecodeThreads == 4 ? 1.08 : 1) * (setting.DelayMilliseconds > 0 ? .97 : 1);
        }

        var (best, search) = Find(setting => Result(setting, Throughput(setting)) with { DecodeMilliseconds = 3 }, seed, bound: null);
        Assert.InRange(Throughput(best.Setting), .95 * Space.All().Max(Throughput), double.MaxValue);
        Assert.True(search.Results.Count < Space.Count / 3);
    }

    [Fact]
    public void Larger_batches_are_not_tried_when_the_present_ones_stay_empty()
    {
        var (_, search) = Find(setting => Result(setting, 100) with { MeanBatch = 2 }, seed: 1, bound: null, start: new TuneSetting(8, 1, 1));
        Assert.DoesNotContain(search.Results, result => result.Setting.BatchSize > 8);
    }

    [Fact]
    public void Decode_threads_are_not_tried_where_decoding_takes_nothing()
    {
        var (_, search) = Find(setting => Result(setting, 100) with { DecodeMilliseconds = .1, ExecuteMilliseconds = 50 }, seed: 1, bound: null);
        Assert.All(search.Results, result => Assert.Equal(0, result.Setting.DecodeThreads));
    }

    [Fact]
    public void Settings_that_do_not_start_are_passed_over()
    {
        var (best, _) = Find(setting => setting.Workers > 1 ? Result(setting, 0) with { Failure = "no memory" } : Result(setting, setting.BatchSize), seed: 1, bound: null, start: new TuneSetting(1, 1, 2));
        Assert.Equal(1, best.Setting.Workers);
        Assert.Null(best.Failure);
    }

    [Fact]
    public void Where_nothing_is_within_the_bound_the_nearest_is_told()
    {
        var (best, _) = Find(setting => Result(setting, 100) with { P99Milliseconds = 100 + setting.BatchSize }, seed: 1, bound: 50, start: new TuneSetting(16, 1, 1));
        Assert.Equal(1, best.Setting.BatchSize);
    }

    [Fact]
    public void A_glance_is_told_the_best_so_far_and_only_what_it_cannot_tell_apart_gets_into_the_final()
    {
        var rivals = new List<TuneResult?>();
        var space = new TuneSpace(new Dictionary<TuneDimension, IReadOnlyList<int>> { [TuneDimension.BatchSize] = [1, 2, 4] });
        var search = new TuneSearch(
            space,
            new TuneRanking(null),
            (setting, rival) =>
            {
                rivals.Add(rival);
                return Result(setting, setting.BatchSize == 4 ? 103 : 50 * setting.BatchSize);
            },
            finalists => [.. finalists.Select(finalist => finalist with { Effort = TuneEffort.Full })]);
        search.Run(new TuneSetting(1, 1, 1));
        Assert.Equal([null, 50, 100], rivals.Select(rival => rival?.PerSecond));
        Assert.Equal([4, 2], search.Results.Where(result => result.Effort == TuneEffort.Full).Select(result => result.Setting.BatchSize));
    }

    [Fact]
    public void A_tiny_grid_is_measured_as_a_whole()
    {
        var space = new TuneSpace(new Dictionary<TuneDimension, IReadOnlyList<int>> { [TuneDimension.BatchSize] = [1, 8], [TuneDimension.Workers] = [1, 2] });
        var search = new TuneSearch(space, new TuneRanking(null), (setting, _) => Result(setting, setting.BatchSize * setting.Workers), Full);
        Assert.Equal(new TuneSetting(8, 1, 2), search.Run(new TuneSetting(4, 1, 1))!.Setting);
        Assert.Equal(4, space.All().Distinct().Count());
    }

    [Fact]
    public void On_a_machine_that_drifts_the_choice_is_within_five_percent_of_the_best_in_under_a_third_of_the_grids_time()
    {
        // The grid of the benchmark, roughly as it was measured: two executions at once, batches that hardly matter.
        static double Throughput(TuneSetting setting)
        {
            var executions = setting.Instances * setting.Workers;
            var isOneOfTwoThreads = setting.IntraOpThreads == 0 && executions == 1;
            return (executions switch { 1 => isOneOfTwoThreads ? 20 : 15, 2 => 28, _ => 26 }) * (setting.BatchSize switch { 1 => 1, 2 => .98, 4 => .96, _ => .9 });
        }

        var space = new TuneSpace(new Dictionary<TuneDimension, IReadOnlyList<int>>
        {
            [TuneDimension.BatchSize] = [1, 2, 4, 8],
            [TuneDimension.Instances] = [1, 2],
            [TuneDimension.Workers] = [1, 2],
            [TuneDimension.IntraOpThreads] = [0, 1],
            [TuneDimension.Delay] = [0],
            [TuneDimension.DecodeThreads] = [0],
        });
        SimulatedMachine Machine(int seed) => new((setting, _) => SimulatedMachine.Turn(setting, Throughput(setting)))
        {
            // 15 % up and down within minutes, beginning anywhere.
            Speed = now => 1 + (.15 * Math.Sin((now.TotalSeconds / 25) + seed)),
            Noise = .05,
            Random = new Random(seed),
        };
        var best = space.All().Max(Throughput);
        for (var seed = 1; seed <= 40; seed++)
        {
            var machine = Machine(seed);
            var meter = new TuneMeter(machine, TimeSpan.FromSeconds(.3), bound: null, fixedClients: 16);
            var search = new TuneSearch(space, new TuneRanking(null), meter.Glance, finalists => new TuneFinal(meter).Run(finalists));
            Assert.InRange(Throughput(search.Run(new TuneSetting(1, 2, 1))!.Setting), .95 * best, best);

            var grid = Machine(seed);
            var gridMeter = new TuneMeter(grid, TimeSpan.FromSeconds(.3), bound: null, fixedClients: 16);
            foreach (var setting in space.All()) gridMeter.InFull(setting);
            Assert.InRange(machine.Now / grid.Now, 0, .33);
        }
    }

    private static TuneResult Result(TuneSetting setting, double perSecond) => new()
    {
        Setting = setting,
        PerSecond = perSecond,
        P50Milliseconds = 10,
        P99Milliseconds = 20,
        MeanBatch = setting.BatchSize,
        ExecuteMilliseconds = 10 + (.2 * setting.BatchSize),
        DecodeMilliseconds = .5,
    };

    private static IReadOnlyList<TuneResult> Full(IReadOnlyList<TuneResult> finalists) => [.. finalists.Select(finalist => finalist with { Effort = TuneEffort.Full })];

    // Noise of a percent at a glance, and of a third of it in the final.
    private static (TuneResult Best, TuneSearch Search) Find(Func<TuneSetting, TuneResult> model, int seed, double? bound, TuneSetting? start = null)
    {
        var random = new Random(seed);
        TuneResult Noisy(TuneSetting setting, double noise)
        {
            var result = model(setting);
            return result with { PerSecond = result.PerSecond * (1 + ((random.NextDouble() - .5) * noise)) };
        }

        var search = new TuneSearch(Space, new TuneRanking(bound), (setting, _) => Noisy(setting, .02), finalists => Full([.. finalists.Select(finalist => Noisy(finalist.Setting, .007))]));
        return (search.Run(start ?? new TuneSetting(1, 1, 1))!, search);
    }
}
