using System.Diagnostics;
using Serve.Benchmarks.Processes;

namespace Serve.Benchmarks.Scenarios;

/// <summary>CPU time that processes use between two moments.</summary>
internal sealed class CpuMeter
{
    private readonly int[] _pids;
    private readonly long _started = Stopwatch.GetTimestamp();
    private readonly TimeSpan[] _before;

    private CpuMeter(int[] pids)
    {
        _pids = pids;
        _before = Sample();
    }

    /// <summary>Begins now.</summary>
    public static CpuMeter Start(params int[] pids) => new(pids);

    /// <summary>CPU time of each process since the beginning.</summary>
    public TimeSpan[] Stop() => [.. Sample().Zip(_before, (after, before) => after - before)];

    /// <summary>The same in percent of one core.</summary>
    public double[] StopAsPercentOfCore()
    {
        var elapsed = Stopwatch.GetElapsedTime(_started);
        return [.. Stop().Select(used => 100 * (used / elapsed))];
    }

    private TimeSpan[] Sample() => [.. _pids.Select(ProcessUse.CpuTime)];
}
