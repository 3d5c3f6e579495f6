using Serve.Frontend.Tuning;

namespace Serve.Tests.Frontend.Tuning;

/// <summary>Glances and finals on a machine whose speed drifts.</summary>
public sealed class TuneMeterTests
{
    private static readonly TuneSetting Good = new(1, 1, 1);
    private static readonly TuneSetting Better = new(2, 1, 1);
    private static readonly TuneSetting Best = new(4, 1, 1);

    [Theory]
    [InlineData(int.MaxValue, 1.06, 1.15)] // in turns with the best so far
    [InlineData(1, 0, .95)]                // by itself: what it looks like to a search that measures one after the other
    public void A_machine_that_becomes_slower_does_not_make_a_better_setting_look_worse(int room, double least, double most)
    {
        var machine = new SimulatedMachine((setting, _) => SimulatedMachine.Turn(setting, setting == Good ? 100 : 110)) { Room = room, Speed = now => 1 - (now.TotalSeconds / 20) };
        var meter = Meter(machine);
        var rival = meter.Glance(Good, null);
        var glance = meter.Glance(Better, rival);
        Assert.InRange(glance.PerSecond / rival.PerSecond, least, most);
    }

    [Fact]
    public void A_final_decides_by_what_settings_do_at_the_same_time_not_by_when_they_are_measured()
    {
        for (var seed = 1; seed <= 20; seed++)
        {
            // From full speed to a half of it, with waves.
            var machine = new SimulatedMachine(Plain)
            {
                Speed = now => Math.Max(.5, 1 - (now.TotalSeconds / 120)) * (1 + (.1 * Math.Sin(now.TotalSeconds / 7))),
                Noise = .03,
                Random = new Random(seed),
            };
            var meter = Meter(machine);
            var results = new TuneFinal(meter).Run([.. new[] { Best, Good, Better }.Select(setting => meter.Glance(setting, null))]);
            Assert.Equal(Best, results.MaxBy(result => result.PerSecond)!.Setting);
            Assert.All(results, result => Assert.Equal(TuneEffort.Full, result.Effort));
            Assert.Equal(3, machine.MostLoaded);
        }
    }

    [Fact]
    public void Who_is_behind_in_every_round_leaves_a_final_early()
    {
        var rounds = new List<(int Round, int Contenders)>();
        var meter = Meter(new SimulatedMachine((setting, _) => SimulatedMachine.Turn(setting, setting == Good ? 80 : setting == Best ? 100 : 99)));
        var results = new TuneFinal(meter).Run([.. new[] { Good, Better, Best }.Select(setting => meter.Glance(setting, null))], (round, contenders, _) => rounds.Add((round, contenders)));
        Assert.Equal([(1, 3), (2, 3), (3, 3), (4, 2)], rounds);
        Assert.Equal([80, 99, 100], results.Select(result => Math.Round(result.PerSecond)));
    }

    [Fact]
    public void Without_memory_for_several_a_final_loads_them_in_turn()
    {
        var machine = new SimulatedMachine(Plain) { Room = 1 };
        var meter = Meter(machine);
        var results = new TuneFinal(meter).Run([.. new[] { Good, Better }.Select(setting => meter.Glance(setting, null))]);
        Assert.Equal(Better, results.MaxBy(result => result.PerSecond)!.Setting);
        Assert.Equal(1, machine.MostLoaded);
    }

    [Fact]
    public void What_only_starts_alone_is_measured_alone()
    {
        var machine = new SimulatedMachine(Plain) { FailsBesideOthers = setting => setting == Best };
        var meter = Meter(machine);
        var rival = meter.Glance(Good, null);
        var result = meter.Glance(Best, rival);
        Assert.Null(result.Failure);
        Assert.Equal(Best, new TuneFinal(meter).Run([rival, result]).MaxBy(one => one.PerSecond)!.Setting);
    }

    [Fact]
    public void A_setting_that_does_not_answer_is_a_failure_and_the_others_go_on()
    {
        var isBroken = false;
        var meter = Meter(new SimulatedMachine((setting, _) => SimulatedMachine.Turn(setting, setting == Better && isBroken ? 0 : 100)));
        TuneResult[] glances = [meter.Glance(Good, null), meter.Glance(Better, null)];
        isBroken = true;
        var results = new TuneFinal(meter).Run(glances);
        Assert.Equal("500: it is broken", results.Single(result => result.Setting == Better).Failure);
        Assert.Equal(100, results.Single(result => result.Setting == Good).PerSecond, 1e-9);
        Assert.Equal("500: it is broken", meter.Glance(Better, results[0]).Failure);
    }

    [Fact]
    public void Clients_are_as_many_as_the_bound_allows_and_a_final_that_breaks_it_begins_anew_with_fewer()
    {
        // A device of 10 ms + 0.2 ms a row; two batches are under way. Later it takes a fifth more.
        var slowness = 1.0;
        TuneTurn Device(TuneSetting setting, int clients)
        {
            var rows = Math.Min(setting.BatchSize, Math.Max(1, clients / 2));
            var perSecond = rows / (.010 + (.0002 * rows)) / slowness;
            return SimulatedMachine.Turn(setting, perSecond, 1000 * clients / perSecond);
        }

        var setting = new TuneSetting(64, 1, 1);
        var meter = new TuneMeter(new SimulatedMachine(Device), TimeSpan.FromSeconds(.3), bound: 40, fixedClients: null);
        var glance = meter.Glance(setting, null);
        Assert.InRange(glance.P99Milliseconds, 30, 40);
        Assert.InRange(glance.Clients, 80, 100);
        slowness = 1.2;
        var result = new TuneFinal(meter).Run([glance]).Single();
        Assert.InRange(result.P99Milliseconds, 25, 40);
        Assert.InRange(result.Clients, 1, glance.Clients - 1);
    }

    private static TuneTurn Plain(TuneSetting setting, int clients) => SimulatedMachine.Turn(setting, setting == Good ? 100 : setting == Better ? 105 : 110);

    private static TuneMeter Meter(SimulatedMachine machine) => new(machine, TimeSpan.FromSeconds(.3), bound: null, fixedClients: 16);
}
