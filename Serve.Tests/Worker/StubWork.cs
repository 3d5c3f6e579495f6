using Serve.Core.Protocol;
using Serve.Core.Scheduling;
using Serve.Worker.Pipeline;

namespace Serve.Tests.Worker;

/// <summary>Work of which a test needs little: it decodes, encodes and holds nothing.</summary>
internal abstract class StubWork : IModelWork
{
    public object Handler => this;

    public abstract bool Decodes { get; }

    public abstract int MaxBatchRows { get; }

    public BatchBuckets Buckets => BatchBuckets.Any;

    public bool MayRunOnReader => false;

    public bool Streams => false;

    public long CopiedRows => 0;

    public long PaddedRows => 0;

    public IReadOnlyList<WarmUpTime> WarmUpTimes => [];

    public bool IsOnlyCopied(WorkerRequest request) => false;

    public DecodedRow Decode(WorkerRequest request) => throw new NotSupportedException();

    public virtual IBatchRunner CreateRunner() => throw new NotSupportedException();

    public void Encode(WorkerRequest request)
    {
    }

    public void Release(WorkerRequest request)
    {
    }

    public void DisposeHandler()
    {
    }

    public void Dispose()
    {
    }
}
