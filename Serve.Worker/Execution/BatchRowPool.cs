using Serve.Core.Handlers;

namespace Serve.Worker.Execution;

/// <summary>Rows that are free, with their memory; bounded by bytes, so that one burst of large requests does not stay for ever.</summary>
internal sealed class BatchRowPool(ModelSignature signature, int maxRows, SlabPools slabs) : IDisposable
{
    private const long MaxRetainedBytes = 256L << 20;

    private readonly Lock _gate = new();
    private readonly Stack<BatchRow> _free = new();
    private long _retainedBytes;

    public BatchRow Rent()
    {
        lock (_gate)
        {
            if (_free.TryPop(out var row))
            {
                _retainedBytes -= row.Inputs.CapacityBytes;
                return row;
            }
        }

        return new BatchRow(signature, maxRows, slabs);
    }

    public void Return(BatchRow row)
    {
        row.Clear();
        var bytes = row.Inputs.CapacityBytes;
        lock (_gate)
        {
            if (_retainedBytes + bytes <= MaxRetainedBytes)
            {
                _retainedBytes += bytes;
                _free.Push(row);
                return;
            }
        }

        row.Dispose();
    }

    public void Dispose()
    {
        lock (_gate)
        {
            while (_free.TryPop(out var row)) row.Dispose();
            _retainedBytes = 0;
        }
    }
}
