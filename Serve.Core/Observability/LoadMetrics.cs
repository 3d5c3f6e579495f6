using System.Globalization;
using Prometheus;
using Serve.Core.Scheduling;

namespace Serve.Core.Observability;

/// <summary>The series of one version that tell of demand, capacity and what batches cost.</summary>
internal sealed class LoadMetrics : IDisposable
{
    private readonly Gauge.Child _headroom;
    private readonly Gauge.Child _arrivals;
    private readonly Gauge.Child _fill;
    private readonly Gauge.Child _wait;
    private readonly Gauge.Child[] _means;
    private readonly Gauge.Child[] _p99s;
    private readonly int _largest;

    public LoadMetrics(string model, string version, IReadOnlyList<BatchCost> costs)
    {
        _largest = costs[^1].Rows;
        _headroom = ServeMetrics.Headroom.WithLabels(model, version);
        _arrivals = ServeMetrics.Arrivals.WithLabels(model, version);
        _fill = ServeMetrics.BatchFill.WithLabels(model, version);
        _wait = ServeMetrics.PredictedWait.WithLabels(model, version);
        _means = [.. costs.Select(cost => ServeMetrics.BatchMean.WithLabels(model, version, Label(cost.Rows)))];
        _p99s = [.. costs.Select(cost => ServeMetrics.BatchP99.WithLabels(model, version, Label(cost.Rows)))];
    }

    /// <summary>Whether its series are those of batches up to this size: a model that is loaded again may have another one.</summary>
    public bool IsFor(IReadOnlyList<BatchCost> costs) => costs[^1].Rows == _largest;

    public void Set(in DispatcherLoad load, IReadOnlyList<BatchCost> costs)
    {
        _headroom.Set(load.Headroom ?? double.NaN);
        _arrivals.Set(load.ArrivalsPerSecond);
        _fill.Set(load.BatchFill);
        _wait.Set(load.PredictedWait.TotalSeconds);
        for (var i = 0; i < costs.Count; i++)
        {
            _means[i].Set(costs[i].Mean.TotalSeconds);
            _p99s[i].Set(costs[i].P99.TotalSeconds);
        }
    }

    public void Dispose()
    {
        foreach (var gauge in (Gauge.Child[])[_headroom, _arrivals, _fill, _wait, .. _means, .. _p99s]) gauge.Remove();
    }

    private static string Label(int rows) => rows.ToString(CultureInfo.InvariantCulture);
}
