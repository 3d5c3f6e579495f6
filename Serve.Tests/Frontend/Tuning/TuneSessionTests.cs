using Serve.Core.Configuration;
using Serve.Core.Models;
using Serve.Frontend.Tuning;
using Serve.Tests.EndToEnd;

namespace Serve.Tests.Frontend.Tuning;

/// <summary>Runs of the tuner that are ended and go on, on a simulated machine.</summary>
public sealed class TuneSessionTests
{
    private static readonly TuneSpace Space = new(new Dictionary<TuneDimension, IReadOnlyList<int>> { [TuneDimension.BatchSize] = [1, 2, 4], [TuneDimension.Instances] = [1, 2] });

    [Fact]
    public void A_run_that_was_ended_goes_on_where_it_was_and_a_finished_one_has_nothing_to_measure()
    {
        using var folder = new TemporaryFolder();

        // Ended in the final, after the turns of its first round.
        var asked = 0;
        var (first, _, _) = Session(
            folder,
            setting =>
            {
                if (++asked == 40) throw new OperationCanceledException();
                return Throughput(setting);
            });
        Assert.Throws<OperationCanceledException>(() => first.RunSearch(Space, new TuneRanking(null), new TuneSetting(1, 1, 1)));
        Assert.DoesNotContain(first.Measured, result => result.Final is not null);
        Assert.Equal(6, first.Measured.Count);

        var (second, machine, progress) = Session(folder, Throughput);
        var best = second.RunSearch(Space, new TuneRanking(null), new TuneSetting(1, 1, 1))!;
        Assert.Equal(new TuneSetting(4, 2, 1), best.Setting);
        Assert.Equal(1, best.Final);
        Assert.Contains("Round 1,", progress.ToString(), StringComparison.Ordinal);
        Assert.All(machine.Asked, setting => Assert.Contains(setting, second.Measured.Where(result => result.Final == 1).Select(result => result.Setting))); // no glance again

        var (third, idle, _) = Session(folder, Throughput);
        Assert.Equal(best, third.RunSearch(Space, new TuneRanking(null), new TuneSetting(1, 1, 1)));
        Assert.Empty(idle.Asked);
    }

    [Fact]
    public void Each_measurement_is_a_line_with_the_time_that_is_left()
    {
        using var folder = new TemporaryFolder();
        var (session, _, progress) = Session(folder, Throughput);
        session.RunGrid(Space);
        var lines = progress.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(6, lines.Length);
        Assert.All(lines[..^1], line => Assert.Matches(@"^batch \d, 1 worker.*/s, p50 .* ms, p99 .* ms \(16 clients\); about \d+ s left\r?$", line));
        Assert.DoesNotContain("left", lines[^1], StringComparison.Ordinal);
    }

    private static double Throughput(TuneSetting setting) => 100 + (5 * setting.BatchSize) + (10 * setting.Instances);

    private static (TuneSession Session, SimulatedMachine Machine, StringWriter Progress) Session(TemporaryFolder folder, Func<TuneSetting, double> perSecond)
    {
        if (!Directory.Exists(Path.Combine(folder.Path, "tuned"))) HandlerModels.Write(folder.Path, "tuned", "SleeperHandler");
        var store = new ModelStore(new ServerConfiguration { ModelStore = folder.Path }, folder.Path);
        using var source = store.Open(store.Resolve("tuned"), cancellation: CancellationToken.None);
        var results = TuneResultsFile.Open(Path.Combine(folder.Path, "results"), source, [], "test", isFresh: false);
        var machine = new SimulatedMachine((setting, _) => SimulatedMachine.Turn(setting, perSecond(setting)));
        var progress = new StringWriter();
        return (new TuneSession(results, new TuneMeter(machine, TimeSpan.FromSeconds(.3), bound: null, fixedClients: 16), progress, CancellationToken.None), machine, progress);
    }
}
