using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Protocol;
using Serve.Core.Scheduling;
using Serve.Core.Tensors;

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

    public bool IsOnlyCopied(WorkerRequest request) => false;

    public DecodedRow Decode(WorkerRequest request) => new(request.Rows, 0);

    public IBatchRunner CreateRunner() => new Runner(this, handler);

    /// <summary>What the handler declares of tensors; null: it takes none.</summary>
    public ModelSignature? Tensors { get; } = (handler as IDeclaresTensors)?.Tensors;

    public void Encode(WorkerRequest request)
    {
    }

    public void Release(WorkerRequest request)
    {
    }

    public void DisposeHandler() => handler.Dispose();

    public void Dispose() => handler.Dispose();

    /// <summary>Answers a call whose tensors are not those that the handler declares; it does not see it.</summary>
    private bool Refuses(HandlerCall call)
    {
        if (!call.Request.CarriesTensors) return false;
        try
        {
            SignatureCheck.Check(Tensors ?? throw new BadRequestException($"The handler {handler.GetType().Name} takes no tensors: it cannot be called by the Open Inference Protocol."), call.Request);
            return false;
        }
        catch (BadRequestException e)
        {
            call.Fail(e);
            if (Streams) call.End(); // before the others of the batch, which may take long
            return true;
        }
    }

    private sealed class Runner(HandlerWork work, IBatchHandler handler) : IBatchRunner
    {
        public void WarmUp()
        {
            // Only its author knows what may be run without a request: Load is the place for it.
        }

        public void Execute(Batch batch)
        {
            if (batch.CarriesTensors && batch.Calls.RemoveAll(work.Refuses) > 0 && batch.Calls.Count == 0) return;
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
