using Serve.Benchmarks.NoOp;
using Serve.Benchmarks.Processes;
using Serve.Benchmarks.Reporting;

namespace Serve.Benchmarks.Scenarios;

/// <summary>
/// Whether <c>serve tune</c> finds what is known to be best: on devices of 10 ms and 0.2 ms a row, one for each instance or
/// one for all of them.
/// </summary>
internal sealed class TuneScenario : IScenario
{
    private static readonly string[] Space = ["--batch-sizes", $"1:{SyntheticDevice.BatchSize}:x2", "--instances", "1,2", "--workers", "1,2", "--delays", "adaptive,10", "--window", "400ms"];

    public string Name => "tune";

    public string Title => "serve tune on devices of 10 ms + 0.2 ms a row";

    public void Run(Repository repository, BenchmarkSettings settings, Report report)
    {
        using var store = TemporaryStore.WithDevices();
        var data = Path.Combine(store.Path, "body");
        File.WriteAllBytes(data, [1]);

        // Each instance has a device: everything at its most. One device for all: more of them only wait for each other.
        Measure(repository, report, store, data, "a device for each instance", TemporaryStore.DeviceForEach, devices: 4, best => best is { BatchSize: SyntheticDevice.BatchSize, Instances: 2, Workers: 2, DelayMilliseconds: 0 });
        Measure(repository, report, store, data, "one device", TemporaryStore.OneDevice, devices: 1, best => best is { BatchSize: SyntheticDevice.BatchSize, Workers: 1, DelayMilliseconds: 0 });
    }

    private void Measure(Repository repository, Report report, TemporaryStore store, string data, string what, string model, int devices, Func<TunedSetting, bool> isKnownBest)
    {
        var outcome = ServeTune.Run(repository.Server, store.Path, model, data, Space);
        report.Add(Name, $"{what}: chose the known best ({outcome.Best})", "of 1", Bar.AtLeast(1), [isKnownBest(outcome.Best) ? 1 : 0]);
        report.Add(Name, $"{what}: answers of its choice, of the capacity", "", Bar.AtLeast(0.95), [outcome.BestPerSecond / (devices * SyntheticDevice.Capacity)]);
        report.Add(Name, $"{what}: settings looked at, of all {outcome.GridSize}", "", Bar.Below(1 / 3.0), [outcome.PerSecond.Count / (double)outcome.GridSize]);
        report.Add(Name, $"{what}: time", "s", Bar.None, [outcome.Time.TotalSeconds]);
    }
}
