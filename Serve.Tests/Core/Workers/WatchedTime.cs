using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;

namespace Serve.Tests.Core.Workers;

/// <summary>Virtual time that passes as it is waited for.</summary>
internal sealed class WatchedTime : FakeTimeProvider
{
    // Longer ones are limits of what the tests do at once.
    private static readonly TimeSpan LongestElapsed = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Channel<TimeSpan> _timers = Channel.CreateUnbounded<TimeSpan>();

    /// <summary>Timers of this time never ring.</summary>
    public TimeSpan? Withheld { private get; set; }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = base.CreateTimer(callback, state, dueTime == Withheld ? Timeout.InfiniteTimeSpan : dueTime, period);
        if (dueTime > TimeSpan.Zero && dueTime <= LongestElapsed && dueTime != Withheld) _timers.Writer.TryWrite(dueTime);
        return timer;
    }

    /// <summary>Lets the time of each short timer pass, as it is set, until the task has completed.</summary>
    public async Task ElapseUntilAsync(Task task)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (!task.IsCompleted)
        {
            var timer = _timers.Reader.WaitToReadAsync(patience.Token).AsTask();
            if (await Task.WhenAny(task, timer) == task) break;
            await timer;
            while (_timers.Reader.TryRead(out var due)) Advance(due);
        }

        await task;
    }
}
