using Serve.Core.Handlers;
using Serve.Core.Protocol;
using Serve.Core.Scheduling;

namespace Serve.Worker.Pipeline;

/// <summary>A batch handler: it computes by itself, so there is nothing to decode and nothing to encode.</summary>
internal sealed class HandlerWork(IBatchHandler handler, int batchSize) : IModelWork
{
    public object Handler => handler;

    public bool Decodes => false;

    public int MaxBatchRows => batchSize;

    // While the reader executes it takes in neither a Cancel nor a Taken.
    public bool MayRunOnReader => !Streams;

    public bool Streams { get; } = handler.Streams;

    public IReadOnlyList<WarmUpTime> WarmUpTimes => [];

    public long CopiedRows => 0;

    public BatchBuckets Buckets => BatchBuckets.Any;

    public long PaddedRows => 0;

    public DecodedRow Decode(WorkerRequest request) => new(request.Rows, 0);

    public IBatchRunner CreateRunner() => new Runner(handler);

    public void Encode(WorkerRequest request)
    {
    }

    public void Release(WorkerRequest request)
    {
    }

    public void DisposeHandler() => handler.Dispose();

    public void Dispose() => handler.Dispose();

    private sealed class Runner(IBatchHandler handler) : IBatchRunner
    {
        public void WarmUp()
        {
            // Only its author knows what may be run without a request: Load is the place for it.
        }

        public void Execute(Batch batch)
        {
            try
            {
                handler.Execute(batch.Calls, batch.Cancellation);
            }
            catch (Exception e)
            {
                foreach (var call in batch.Calls)
                {
                    if (call is { Error: null, IsEnded: false }) call.Fail(e);
                }
            }
        }

        public void Dispose()
        {
        }
    }
}
