using Prometheus;
using Serve.Core.Handlers.Metrics;
using Serve.Core.Observability.Custom;

namespace Serve.Core.Observability;

/// <summary>The series of one worker process; they leave the scrape with it.</summary>
public sealed class WorkerMetrics : IDisposable
{
    private readonly string _id;
    private readonly CustomMetrics _custom;
    private readonly string[] _labels;
    private readonly Gauge.Child _memory;
    private readonly Counter.Child _allocated;
    private readonly Counter.Child _deviceBusy;
    private readonly Counter.Child _deviceIdle;
    private readonly Counter.Child _deviceStarved;
    private readonly Counter.Child _decodeBusy;
    private readonly Counter.Child _decodeCapacity;
    private readonly Counter.Child _encodeBusy;
    private readonly Counter.Child _rows;
    private readonly Counter.Child _copiedRows;
    private readonly Counter.Child _paddedRows;
    private readonly Lock _gate = new();
    private Gauge.Child? _deviceMemory;
    private bool _isDisposed;

    internal WorkerMetrics(string model, string version, string id, CustomMetrics custom)
    {
        (_id, _custom) = (id, custom);
        _labels = [model, version, id];
        _memory = ServeMetrics.WorkerMemory.WithLabels(_labels);
        _allocated = ServeMetrics.WorkerAllocated.WithLabels(_labels);
        _deviceBusy = ServeMetrics.WorkerDeviceBusy.WithLabels(_labels);
        _deviceIdle = ServeMetrics.WorkerDeviceIdle.WithLabels(model, version, id, "no_requests");
        _deviceStarved = ServeMetrics.WorkerDeviceIdle.WithLabels(model, version, id, "decoding");
        _decodeBusy = ServeMetrics.WorkerDecodeBusy.WithLabels(_labels);
        _decodeCapacity = ServeMetrics.WorkerDecodeCapacity.WithLabels(_labels);
        _encodeBusy = ServeMetrics.WorkerEncodeBusy.WithLabels(_labels);
        _rows = ServeMetrics.WorkerRows.WithLabels(_labels);
        _copiedRows = ServeMetrics.WorkerCopiedRows.WithLabels(_labels);
        _paddedRows = ServeMetrics.WorkerPaddedRows.WithLabels(_labels);
    }

    /// <summary>What the worker's gauge frame said.</summary>
    /// <param name="memoryBytes">Resident memory.</param>
    /// <param name="allocatedBytes">Bytes allocated on the garbage-collected heap since it started.</param>
    /// <param name="stages">What its stages did since it was ready.</param>
    /// <param name="copiedRows">Rows that had to be copied since it was ready.</param>
    /// <param name="paddedRows">Rows that filled batches up since it was ready.</param>
    public void Update(long memoryBytes, long allocatedBytes, in WorkerStages stages, long copiedRows, long paddedRows)
    {
        _memory.Set(memoryBytes);
        _allocated.IncTo(allocatedBytes);
        _deviceBusy.IncTo(stages.DeviceBusy.TotalSeconds);
        _deviceIdle.IncTo(stages.DeviceIdle.TotalSeconds);
        _deviceStarved.IncTo(stages.DeviceStarved.TotalSeconds);
        _decodeBusy.IncTo(stages.DecodeBusy.TotalSeconds);
        _decodeCapacity.IncTo(stages.DecodeCapacity.TotalSeconds);
        _encodeBusy.IncTo(stages.EncodeBusy.TotalSeconds);
        _rows.IncTo(stages.Rows);
        _copiedRows.IncTo(copiedRows);
        _paddedRows.IncTo(paddedRows);
    }

    /// <summary>What the worker's gauge frame said of its handler's metrics.</summary>
    /// <param name="metrics">All of them; null: as they were.</param>
    /// <returns>Why some are not exported; null if all are.</returns>
    public string? UpdateCustom(IReadOnlyList<MetricMessage>? metrics)
    {
        lock (_gate) return _isDisposed || metrics is null ? null : _custom.Update(_id, metrics);
    }

    /// <summary>What the GPU's driver says of the worker.</summary>
    /// <param name="bytes">Its memory there; null: not told, and no series.</param>
    public void UpdateDeviceMemory(long? bytes)
    {
        lock (_gate)
        {
            if (_isDisposed || (bytes is null && _deviceMemory is null)) return;
            _deviceMemory ??= ServeMetrics.WorkerDeviceMemory.WithLabels(_labels);
            _deviceMemory.Set(bytes ?? 0);
        }
    }

    /// <summary>Takes the worker's series out of the scrape.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _isDisposed = true;
            _deviceMemory?.Remove();
            _custom.Remove(_id);
        }

        _memory.Remove();
        foreach (var counter in (Counter.Child[])[_allocated, _deviceBusy, _deviceIdle, _deviceStarved, _decodeBusy, _decodeCapacity, _encodeBusy, _rows, _copiedRows, _paddedRows]) counter.Remove();
    }
}
