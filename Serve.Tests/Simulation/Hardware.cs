namespace Serve.Tests.Simulation;

/// <summary>What the simulated workers have.</summary>
internal sealed record Hardware
{
    public const int BatchSize = 32;

    public int Workers { get; init; } = 1;

    /// <summary>Decode threads of each worker; 0: requests need no decoding.</summary>
    public int DecodeThreads { get; init; }

    public double DecodeMilliseconds { get; init; }

    /// <summary>Sigma of the log-normal factor on each execution.</summary>
    public double Noise { get; init; }

    /// <summary>One way between frontend and worker.</summary>
    public double LinkMilliseconds { get; init; } = 0.05;

    public ulong Seed { get; init; } = 1;

    /// <summary>Rows a second with full batches.</summary>
    public double Capacity => Workers * BatchSize / (ExecutionMilliseconds(BatchSize) / 1000);

    public static double ExecutionMilliseconds(int rows) => 10 + 0.2 * rows;
}

/// <summary>A device that executes one batch after the other.</summary>
internal sealed class SimulatedDevice(EventLoop loop, Hardware hardware, int number)
{
    private readonly Randomness _noise = new(hardware.Seed * 1000 + (ulong)number);

    public bool IsBusy { get; private set; }

    public long BusyTicks { get; private set; }

    public int Batches { get; private set; }

    public int Rows { get; private set; }

    public void Execute(int rows, Action done)
    {
        Assert.False(IsBusy);
        IsBusy = true;
        var ticks = EventLoop.Ticks(Hardware.ExecutionMilliseconds(rows) * _noise.LogNormal(hardware.Noise));
        loop.At(loop.Now + ticks, () =>
        {
            IsBusy = false;
            BusyTicks += ticks;
            Batches++;
            Rows += rows;
            done();
        });
    }
}

/// <summary>A worker's decode threads: first in, first out.</summary>
internal sealed class DecodeThreads(EventLoop loop, Hardware hardware)
{
    private readonly Queue<Action> _waiting = new();
    private int _busy;

    public void Decode(Action decoded)
    {
        if (hardware.DecodeThreads == 0)
        {
            decoded();
            return;
        }

        _waiting.Enqueue(decoded);
        Next();
    }

    private void Next()
    {
        if (_busy == hardware.DecodeThreads || !_waiting.TryDequeue(out var decoded)) return;

        _busy++;
        loop.After(hardware.DecodeMilliseconds, () =>
        {
            _busy--;
            decoded();
            Next();
        });
    }
}
