using Serve.Core.Configuration;
using Serve.Core.Devices;
using Serve.Core.Memory;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Core.Protocol;
using Serve.Core.Workers;
using Serve.Tests.EndToEnd;

namespace Serve.Tests.Core.Workers;

/// <summary>How workers end that do not end as they should.</summary>
public sealed class PooledWorkerTests : IDisposable
{
    private static readonly TimeSpan StartupTimeout = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan LastLines = TimeSpan.FromSeconds(1);

    private readonly PlayedWorkers _workers;
    private readonly ModelConfiguration _configuration = new() { Handler = "test" };
    private readonly ModelMetrics _metrics = new("played", "1.0");
    private readonly InferenceScheduler _scheduler;
    private readonly SharedBodies? _bodies;
    private readonly PooledWorker _worker;

    public PooledWorkerTests()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Its processes are scripts that signals end.");
        _workers = new PlayedWorkers();
        _bodies = SharedBodies.TryCreate(1 << 20);
        _scheduler = new InferenceScheduler("played", _configuration, completeInline: true, _workers.Time, _metrics, _workers.Log);
        _worker = new PooledWorker("1", _workers.Settings, _workers.Load(_configuration), _scheduler, _metrics, _workers.Time, _workers.Log)
        {
            Devices = new DeviceMonitor(_workers, _workers.Time),
            Bodies = _bodies,
        };
    }

    public void Dispose()
    {
        _scheduler.Dispose();
        _metrics.Dispose();
        _bodies?.Close();
        _workers.Dispose();
    }

    [Fact]
    public async Task One_whose_process_has_ended_is_over_although_its_socket_goes_on()
    {
        var (life, played) = await BecomeReadyAsync();
        var answer = Submit();
        Assert.Equal(1, _worker.Slot!.OutstandingRequests);

        Signals.Kill(played.Pid);
        await _workers.Time.ElapseUntilAsync(life);

        Assert.Equal(new WorkerEnd("it was killed (signal 9)", WasAsked: false, DidItsWork: false, WasKilled: true), await life);
        Assert.Equal(WorkerState.Failed, _worker.State);
        Assert.Equal(1, _scheduler.QueuedRequests);
        await FailAsync(answer);
    }

    [Fact]
    public async Task One_whose_process_has_ended_while_it_loads_is_over_although_its_socket_goes_on()
    {
        var (life, played, _) = Live();
        (await played).SayHello();
        await Eventually.HoldsAsync("it loads", () => _worker.State == WorkerState.Loading);

        Signals.Kill((await played).Pid);
        await _workers.Time.ElapseUntilAsync(life);

        Assert.True((await life).WasKilled);
        Assert.Equal(WorkerState.Failed, _worker.State);
    }

    [Fact]
    public async Task One_that_a_kill_does_not_end_is_over_but_keeps_what_it_may_read()
    {
        Assert.SkipWhen(_bodies is null, "There is no memory to share.");
        var (life, played) = await BecomeReadyAsync();
        var body = _bodies.TryTake(SharedBodies.LeastBytes)!;
        Assert.True(_worker.Holds!.TryHold(1, body));
        body.Release();
        var answer = Submit();

        // Its child holds its output, and the time in which that is given up does not pass: nobody learns of its end.
        _workers.Time.Withheld = LastLines;
        _workers.Time.Advance(_configuration.ResponseTimeout + TimeSpan.FromSeconds(1));
        _worker.Check();
        await _workers.Time.ElapseUntilAsync(life);

        Assert.Contains("(responseTimeout) and was killed", (await life).Reason, StringComparison.Ordinal);
        Assert.Equal(WorkerState.Failed, _worker.State);
        Assert.Null(_worker.Slot);
        await _workers.Log.NextAsync("has not ended within 10.0 s");
        Assert.NotEqual(0, _bodies.InUse);

        Signals.Kill(played.Child);
        await Eventually.HoldsAsync("nothing is held", () => _bodies.InUse == 0);
        await FailAsync(answer);
    }

    [Fact]
    public async Task Leaving_ends_although_the_socket_goes_on()
    {
        var (life, played) = await BecomeReadyAsync();
        var left = _worker.LeaveAsync(TimeSpan.FromHours(1));

        Signals.Kill(played.Pid);
        await _workers.Time.ElapseUntilAsync(left);

        Assert.True((await life).WasAsked);
        Assert.Equal(WorkerState.Stopped, _worker.State);
    }

    [Fact]
    public async Task Leaving_does_not_wait_for_the_requests_of_one_that_died()
    {
        var (life, played) = await BecomeReadyAsync();
        var answer = Submit();
        var left = _worker.LeaveAsync(TimeSpan.FromHours(1));

        Signals.Kill(played.Pid);
        played.Disconnect();
        await _workers.Time.ElapseUntilAsync(life);
        await _workers.Time.ElapseUntilAsync(left);

        await FailAsync(answer);
    }

    [Fact]
    public async Task What_says_Ready_after_startupTimeout_gets_no_requests()
    {
        var (life, played, readies) = Live();
        (await played).SayHello();
        await Eventually.HoldsAsync("it loads", () => _worker.State == WorkerState.Loading);

        _workers.Time.Advance(StartupTimeout);
        await Eventually.HoldsAsync("it was killed", () => !Processes.IsAlive((int)_worker.Pid!));
        Assert.Equal(WorkerState.Loading, _worker.State);
        ((IWorkerLinkOwner)_worker).Ready(new ReadyMessage(8, "cpu:0", "test"));

        Assert.Null(_worker.Slot);
        await _workers.Time.ElapseUntilAsync(life);
        Assert.Contains("(startupTimeout)", (await life).Reason, StringComparison.Ordinal);
        Assert.Equal((WorkerState.Failed, 0), (_worker.State, readies()));
    }

    [Fact]
    public async Task Whatever_goes_wrong_when_it_starts_ends_it_and_nothing_stays()
    {
        var life = _worker.LiveAsync(_workers.Spawner, StartupTimeout, () => throw new IOException("Too many open files"));
        var played = await _workers.NextAsync();
        played.SayHello();
        played.SayReady();
        await _workers.Time.ElapseUntilAsync(life);

        Assert.Equal(new WorkerEnd("it could not be served by: Too many open files", WasAsked: false, DidItsWork: false), await life);
        Assert.Equal(WorkerState.Failed, _worker.State);
        Assert.Null(_worker.Slot);
        await Eventually.HoldsAsync("its process has ended", () => !Processes.IsAlive(played.Pid));
    }

    [Fact]
    public async Task Hello_comes_once()
    {
        var (life, played) = await BecomeReadyAsync();
        played.SayHello();
        await AssertBrokenAsync(life, "It says Hello while it is Ready.");
    }

    [Fact]
    public async Task Hello_comes_before_Gauge()
    {
        var (life, played, _) = Live();
        (await played).SayGauge();
        await AssertBrokenAsync(life, "It says Gauge before Hello.");
    }

    [Fact]
    public async Task Hello_comes_before_LoadFailed()
    {
        var (life, played, _) = Live();
        (await played).SayLoadFailed();
        await AssertBrokenAsync(life, "It says LoadFailed while it is Starting.");
    }

    [Fact]
    public async Task What_is_ready_has_not_failed_to_load()
    {
        var (life, played) = await BecomeReadyAsync();
        played.SayLoadFailed();
        await AssertBrokenAsync(life, "It says LoadFailed while it is Ready.");
    }

    private async Task AssertBrokenAsync(Task<WorkerEnd> life, string why)
    {
        await _workers.Time.ElapseUntilAsync(life);
        Assert.Equal($"it broke the protocol: {why}", (await life).Reason);
        Assert.Null(_worker.Slot);
    }

    private async Task<(Task<WorkerEnd> Life, PlayedWorker Played)> BecomeReadyAsync()
    {
        var (life, coming, readies) = Live();
        var played = await coming;
        played.SayHello();
        played.SayReady(new ReadyMessage(8, "cpu:0", "test", ReadsBodies: true));
        await Eventually.HoldsAsync("it is ready", () => readies() == 1);
        return (life, played);
    }

    private (Task<WorkerEnd> Life, Task<PlayedWorker> Played, Func<int> Readies) Live()
    {
        var readies = 0;
        var life = _worker.LiveAsync(_workers.Spawner, StartupTimeout, () => Interlocked.Increment(ref readies));
        return (life, _workers.NextAsync(), () => Volatile.Read(ref readies));
    }

    private Task<InferenceResponse> Submit() =>
        _scheduler.Submit(RequestPayload.Rent(1), 0, TimeSpan.FromHours(1), isClients: false, CancellationToken.None).AsTask();

    // Nobody else is there to answer.
    private async Task FailAsync(Task<InferenceResponse> answer)
    {
        _scheduler.Close(() => new InvalidOperationException("left over"));
        await Assert.ThrowsAsync<InvalidOperationException>(() => answer);
        Assert.True(_scheduler.WhenIdle().IsCompleted);
    }
}
