using Serve.Core.Protocol;
using Serve.Core.Scheduling;

namespace Serve.Worker.Pipeline;

/// <summary>What a worker does with requests: an ONNX model behind a handler, or a batch handler that computes by itself.</summary>
internal interface IModelWork : IDisposable
{
    /// <summary>The handler, which may have something to say about itself.</summary>
    object Handler { get; }

    /// <summary>Whether requests must be decoded before they can be batched.</summary>
    bool Decodes { get; }

    /// <summary>The most rows in one batch.</summary>
    int MaxBatchRows { get; }

    /// <summary>The sizes in which batches are executed.</summary>
    BatchBuckets Buckets { get; }

    /// <summary>Whether a batch may run on the reader's thread when batches turn out to cost next to nothing.</summary>
    bool MayRunOnReader { get; }

    /// <summary>Whether requests of a batch may be answered in parts, and end one by one.</summary>
    bool Streams { get; }

    /// <summary>Rows that lay apart from the others of their batch and were copied, since the start.</summary>
    long CopiedRows { get; }

    /// <summary>Rows that nobody asked for, executed to fill a batch up to a size of <see cref="Buckets"/>, since the start.</summary>
    long PaddedRows { get; }

    /// <summary>What batches took that runners were warmed up with.</summary>
    IReadOnlyList<WarmUpTime> WarmUpTimes { get; }

    /// <summary>Whether decoding a request is no more than copying a few kilobytes, so that the reader's thread may do it.</summary>
    bool IsOnlyCopied(WorkerRequest request);

    /// <summary>Decodes and preprocesses one request, on a decode thread, or on the reader's where it <see cref="IsOnlyCopied"/>. What it throws answers that request.</summary>
    DecodedRow Decode(WorkerRequest request);

    /// <summary>The executor of one device thread, made, warmed up and used on it alone.</summary>
    IBatchRunner CreateRunner();

    /// <summary>Writes the response of a request that has executed. What it throws answers that request.</summary>
    void Encode(WorkerRequest request);

    /// <summary>The request is at its end; its row may be reused.</summary>
    void Release(WorkerRequest request);

    /// <summary>Lets the handler clean up when the worker leaves; batches may still execute.</summary>
    void DisposeHandler();
}

/// <summary>What decoding found out.</summary>
/// <param name="Rows">Rows of the batch that the request fills.</param>
/// <param name="ShapeClass">Only requests with the same share a batch.</param>
internal readonly record struct DecodedRow(int Rows, int ShapeClass);

/// <summary>Executes batches on one thread.</summary>
internal interface IBatchRunner : IDisposable
{
    /// <summary>Runs what batches will run, so that the first of them is as fast as the thousandth.</summary>
    void WarmUp();

    /// <summary>Executes the batch. A request that fails gets its error by <see cref="Core.Handlers.HandlerCall.Fail"/>; this does not throw for one.</summary>
    void Execute(Batch batch);
}
