using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Core.Scheduling;
using Serve.Core.Workers;
using Serve.Tests.Core.Workers;

namespace Serve.Tests.Core.Models;

/// <summary>A version that leaves says what it waits for when that takes long.</summary>
public sealed class VersionDrainTests : IDisposable
{
    private readonly PlayedWorkers _workers = new();
    private readonly TestScheduler _test;
    private readonly VersionDrain _drain;

    public VersionDrainTests()
    {
        _test = new TestScheduler(time: _workers.Time);
        var configuration = new ModelConfiguration { Handler = "test" };
        var pool = new WorkerPool(_test.Model, "1.0", _workers.ModelFolder, configuration, _workers.Environment, _test.Tested, _test.Metrics, bodies: null, _workers.Log, static () => { });
        _drain = new VersionDrain(_test.Tested, pool, _workers.Time, _workers.Log);
    }

    public void Dispose()
    {
        _test.Dispose();
        _workers.Dispose();
    }

    [Fact]
    public async Task What_is_not_finished_in_time_is_counted()
    {
        var answer = _test.Submit(seconds: 60);
        var drained = _drain.FinishAsync(TimeSpan.FromSeconds(5));
        Assert.False(drained.IsCompleted);

        _workers.Time.Advance(TimeSpan.FromSeconds(5));
        await drained;
        await _workers.Log.NextAsync("1 requests were not finished within 5.0 s (drainTimeout)");
        _test.Tested.Close(static () => new ServiceUnavailableException("It is draining.", TimeSpan.FromSeconds(1)));
        await Assert.ThrowsAsync<ServiceUnavailableException>(() => answer);
    }

    [Fact]
    public async Task Workers_that_take_long_to_leave_are_told_of_until_they_have()
    {
        var left = new TaskCompletionSource();
        var ended = _drain.EndAsync(left.Task);
        for (var seconds = 20; seconds <= 60; seconds += 20)
        {
            _workers.Time.Advance(TimeSpan.FromSeconds(20));
            await _workers.Log.NextAsync($"its workers to leave for {seconds} s: 0 requests are not answered");
        }

        Assert.False(ended.IsCompleted);
        left.SetResult();
        await ended;
    }

    [Fact]
    public async Task Requests_that_nobody_answers_are_told_of()
    {
        _test.AddWorker(credit: 8);
        var answer = _test.Submit(seconds: 600);
        var ended = _drain.EndAsync(Task.CompletedTask);
        _workers.Time.Advance(TimeSpan.FromSeconds(20));
        await _workers.Log.NextAsync("its last requests to be answered for 20 s: 1 requests are not answered");
        Assert.False(ended.IsCompleted);

        _test.Tested.Close(static () => new ServiceUnavailableException("It is draining.", TimeSpan.FromSeconds(1)));
        _test.Tested.RemoveWorker(_test.Worker, WorkerLossReason.Stopped, out _);
        await Assert.ThrowsAsync<ServiceUnavailableException>(() => answer);
        await ended;
    }
}
