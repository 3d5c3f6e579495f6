namespace Serve.Tests.Simulation;

/// <summary>Virtual time: events in order, those of one instant in the order in which they were planned. Ticks of 100 ns.</summary>
internal sealed class EventLoop : TimeProvider
{
    private readonly PriorityQueue<Action, (long Time, long Sequence)> _events = new();
    private long _sequence;

    public long Now { get; private set; }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <summary>Called when nothing is left to happen at this instant: whatever should have been done is done.</summary>
    public Action? InstantEnds { get; set; }

    public override long GetTimestamp() => Now;

    public static long Ticks(double milliseconds) => (long)Math.Round(milliseconds * TimeSpan.TicksPerMillisecond);

    public static double Milliseconds(long ticks) => ticks / (double)TimeSpan.TicksPerMillisecond;

    public void At(long time, Action action) => _events.Enqueue(action, (Math.Max(time, Now), ++_sequence));

    public void After(double milliseconds, Action action) => At(Now + Ticks(milliseconds), action);

    public void RunUntil(Func<bool> isDone)
    {
        while (!isDone() && _events.TryDequeue(out var action, out var when))
        {
            if (when.Time > Now) InstantEnds?.Invoke();
            Now = when.Time;
            action();
        }
    }
}
