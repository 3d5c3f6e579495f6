using CsCheck;
using Serve.Core.Configuration;
using Serve.Core.Scheduling;

namespace Serve.Tests.Simulation;

/// <summary>Workers that die under load: the real dispatcher and batch formers in virtual time.</summary>
public sealed class WorkerDeathSimulationTests
{
    private static readonly DispatcherOptions Options = new() { BatchSize = Hardware.BatchSize, MaxQueueSize = int.MaxValue };

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 3)]
    public void A_worker_killed_every_second_fails_nobody(int workers, ulong seed)
    {
        var run = new Run(Machine(workers, seed));
        var random = new Randomness(seed);
        for (var second = 1; second <= 20; second++)
        {
            run.Loop.After(1000 * second, () =>
            {
                if (run.Server.Workers.Count > 0) run.Server.Kill(run.Server.Workers[(int)(random.Uniform() * run.Server.Workers.Count)]);
            });
        }

        run.Serve(new ClosedLoop(64), seconds: 21);

        Assert.InRange(run.Server.Deaths, 15, 20);
        Assert.True(run.Requests.Count > 10_000, $"{run.Requests.Count} requests");
        Assert.DoesNotContain(run.Requests, r => r.HasFailed);
    }

    [Fact]
    public void Workers_killed_at_any_moments_fail_nobody() =>
        Gen.Select(Gen.Int[50, 700].Array[1, 12], Gen.Int[1, 3], Gen.ULong[1, 1000]).Sample(
            (gaps, workers, seed) =>
            {
                var run = new Run(Machine(workers, seed)) { RestartMilliseconds = 20 };
                var random = new Randomness(seed + 7);
                var at = 0;
                foreach (var gap in gaps)
                {
                    at += gap;
                    run.Loop.After(at, () =>
                    {
                        if (run.Server.Workers.Count > 0) run.Server.Kill(run.Server.Workers[(int)(random.Uniform() * run.Server.Workers.Count)]);
                    });
                }

                run.Serve(new ClosedLoop(40), seconds: at / 1000.0 + 0.2);
                Assert.DoesNotContain(run.Requests, r => r.HasFailed);
            },
            iter: 60);

    [Theory]
    [InlineData(1, 50)]
    [InlineData(1, 90)]
    [InlineData(2, 50)]
    [InlineData(2, 90)]
    [InlineData(4, 80)]
    public void A_request_that_kills_every_worker_fails_alone_after_few_deaths(int workers, int percent)
    {
        for (var seed = 1UL; seed <= 10; seed++)
        {
            var run = new Run(Machine(workers, seed)) { Poison = [200] };
            run.Serve(new Poisson(percent), seconds: 3);

            Assert.Equal([200UL], run.Requests.Where(r => r.HasFailed).Select(r => r.Id));
            Assert.InRange(run.Server.Deaths, 3, 8); // log2(32) + 3
            Assert.Equal(1, run.Server.UnexplainedDeaths);
        }
    }

    [Fact]
    public void Several_of_them_are_found_and_nobody_else_fails() =>
        Gen.Select(Gen.Int[50, 400].Array[1, 4], Gen.Int[1, 3], Gen.ULong[1, 1000]).Sample(
            (poison, workers, seed) =>
            {
                var run = new Run(Machine(workers, seed)) { Poison = [.. poison.Select(p => (ulong)p)] };
                run.Serve(new Poisson(60), seconds: 2);
                Assert.Equal(run.Poison.Order(), run.Requests.Where(r => r.HasFailed).Select(r => r.Id).Order());
                Assert.InRange(run.Server.Deaths, 3, 10 * run.Poison.Count);
            },
            iter: 40);

    [Fact]
    public void In_delayed_mode_nobody_waits_longer_than_the_delay_while_a_worker_is_free() =>
        Gen.Select(Gen.Int[1, 40], Gen.Int[5, 95], Gen.Int[1, 3], Gen.ULong[1, 1000]).Sample(
            (delay, percent, workers, seed) =>
            {
                var options = Options with { Mode = BatchingMode.Delayed, MaxBatchDelay = TimeSpan.FromMilliseconds(delay) };
                var run = new Run(Machine(workers, seed), options);
                var checkBefore = run.Loop.InstantEnds!;
                run.Loop.InstantEnds = () =>
                {
                    checkBefore();
                    var dispatcher = run.Server.Dispatcher;
                    if (dispatcher.QueuedRequests > 0 && dispatcher.Workers.Any(w => w.OutstandingRows == 0))
                        Assert.True(EventLoop.Milliseconds(run.Loop.Now - dispatcher.OldestQueuedArrival) < delay);
                };

                run.Serve(new Poisson(percent), seconds: 1);
                Assert.DoesNotContain(run.Requests, r => r.HasFailed);
            },
            iter: 40);

    private static Hardware Machine(int workers, ulong seed) => new()
    {
        Workers = workers,
        DecodeThreads = 1,
        DecodeMilliseconds = 0.2,
        Noise = 0.3,
        Seed = seed,
    };

    private sealed class Run(Hardware hardware, DispatcherOptions? options = null)
    {
        private ServeServer? _server;

        public EventLoop Loop { get; } = new();

        public ServeServer Server => _server ??= new ServeServer(Loop, hardware, options ?? Options) { RestartMilliseconds = RestartMilliseconds };

        public double RestartMilliseconds { get; init; } = 200;

        /// <summary>Numbers of the requests that kill.</summary>
        public HashSet<ulong> Poison { get; init; } = [];

        public List<SimulatedRequest> Requests { get; } = [];

        /// <summary>Takes requests for so long, then waits for all answers: each has come exactly once.</summary>
        public void Serve(Load load, double seconds)
        {
            _ = Server;
            var answered = 0;
            var end = EventLoop.Ticks(1000 * seconds);
            load.Begin(Loop, hardware, then =>
            {
                if (Loop.Now > end) return;
                var number = (ulong)Requests.Count + 1;
                var request = new SimulatedRequest
                {
                    Id = number,
                    ArrivalTimestamp = Loop.Now,
                    IsPoison = Poison.Contains(number),
                    Done = () =>
                    {
                        answered++;
                        then?.Invoke();
                    },
                };
                Requests.Add(request);
                Server.Submit(request);
            });

            Loop.RunUntil(() => Loop.Now > end + TimeSpan.TicksPerMinute || (Loop.Now > end && answered == Requests.Count));
            Assert.All(Requests, r => Assert.Equal(1, r.Answers));
            Assert.Equal(0, Server.Dispatcher.OutstandingRows + Server.Dispatcher.QueuedRows + Server.Dispatcher.QuarantinedRequests);
        }
    }
}
