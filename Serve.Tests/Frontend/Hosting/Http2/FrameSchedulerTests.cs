using System.IO.Pipelines;
using Serve.Frontend.Hosting.Http2;

namespace Serve.Tests.Frontend.Hosting.Http2;

public sealed class FrameSchedulerTests
{
    private readonly PipeScheduler _scheduler = new FrameScheduler();

    [Fact]
    public async Task The_first_that_is_woken_by_what_is_given_runs_there_and_all_else_on_the_pool()
    {
        var (first, second) = (0, new TaskCompletionSource<Thread>(TaskCreationOptions.RunContinuationsAsynchronously));
        FrameScheduler.Give(
            _ => _scheduler.Schedule(
                _ =>
                {
                    first = Environment.CurrentManagedThreadId;
                    _scheduler.Schedule(_ => second.SetResult(Thread.CurrentThread), null);
                },
                null),
            null);
        Assert.Equal(Environment.CurrentManagedThreadId, first);
        Assert.True((await second.Task).IsThreadPoolThread);

        var outside = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        FrameScheduler.Give(static _ => { }, null);
        var thread = new Thread(() => _scheduler.Schedule(_ => outside.SetResult(Thread.CurrentThread.IsThreadPoolThread), null));
        thread.Start();
        thread.Join();
        Assert.True(await outside.Task);
    }

    [Fact]
    public void What_fails_leaves_nothing_behind()
    {
        Assert.Throws<InvalidOperationException>(() => FrameScheduler.Give(static _ => throw new InvalidOperationException(), null));
        var thread = 0;
        using var ran = new ManualResetEventSlim();
        _scheduler.Schedule(
            _ =>
            {
                thread = Environment.CurrentManagedThreadId;
                ran.Set();
            },
            null);
        ran.Wait(TestContext.Current.CancellationToken);
        Assert.NotEqual(Environment.CurrentManagedThreadId, thread);
    }
}
