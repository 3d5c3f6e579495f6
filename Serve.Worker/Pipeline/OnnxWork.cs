using Microsoft.Extensions.Logging;
using Microsoft.ML.OnnxRuntime;
using Serve.Core.Configuration;
using Serve.Core.Handlers;
using Serve.Worker.BuiltIn;
using Serve.Worker.Execution;

namespace Serve.Worker.Pipeline;

/// <summary>An ONNX model with a handler before and after it.</summary>
internal sealed partial class OnnxWork(IModelHandler handler, OnnxModel model, int batchSize, WarmupConfiguration warmup, ILogger logger) : IModelWork
{
    private readonly BatchRowPool _rows = new(model.Signature, batchSize);
    private readonly ShapeClasses _shapes = new(model.Signature);

    public bool Decodes => true;

    public int MaxBatchRows { get; } = model.Signature.Batching == RowBatching.Dynamic ? batchSize : 1;

    public bool MayRunOnReader => false;

    public DecodedRow Decode(WorkerRequest request)
    {
        var row = request.Row = _rows.Rent();
        handler.Preprocess(request.Request, row.Inputs);
        row.Inputs.Complete();
        return new DecodedRow(row.Inputs.Rows, _shapes.Of(row.Inputs));
    }

    public IBatchRunner CreateRunner() => new Runner(this);

    public void Encode(WorkerRequest request) => handler.Postprocess(request.Request, request.Row!.Outputs, request.Response);

    public void Release(WorkerRequest request)
    {
        if (request.Row is not { } row) return;
        request.Row = null;
        _rows.Return(row);
    }

    public void DisposeHandler() => handler.Dispose();

    public void Dispose()
    {
        handler.Dispose();
        _rows.Dispose();
        model.Dispose();
    }

    private OnnxModel Model => model;

    // The largest batch first: memory arenas are then as large as they will be.
    private void WarmUp(BatchExecution execution)
    {
        if (!warmup.Enabled) return;
        var rows = new BatchRow[MaxBatchRows];
        for (var i = 0; i < rows.Length; i++) rows[i] = _rows.Rent();
        try
        {
            foreach (var row in rows) WriteZeros(row.Inputs);
            for (var i = 0; i < warmup.Runs; i++) RunWarm(execution, rows);
            if (rows.Length == 1) return;
            for (var i = 0; i < warmup.Runs; i++) RunWarm(execution, rows.AsSpan(0, 1));
        }
        catch (OnnxRuntimeException e) when (handler is not ImageClassifier and not ImageEmbedder)
        {
            // Zeros of the smallest shape need not be an input that the model takes.
            Log.WarmUpRefused(logger, RuntimeFailure.Describe(e));
        }
        finally
        {
            foreach (var row in rows) _rows.Return(row);
        }
    }

    private void WriteZeros(RowInputs inputs)
    {
        if (handler is IWarmUp stock) stock.WriteZeros(inputs);
        else ZeroRow.Write(model.Signature, inputs);
        inputs.Complete();
    }

    private void RunWarm(BatchExecution execution, ReadOnlySpan<BatchRow> rows)
    {
        using var outputs = execution.Run(rows, CancellationToken.None);
        if (handler is not IWarmUp) return; // a user's Postprocess may expect a request
        var request = new WorkerRequest();
        handler.Postprocess(request.Request, rows[0].Outputs, request.Response);
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "Not warmed up: the model refuses zeros of the smallest shape ({Reason})")]
        public static partial void WarmUpRefused(ILogger logger, string reason);
    }

    private sealed class Runner(OnnxWork work) : IBatchRunner
    {
        private readonly BatchExecution _execution = new(work.Model);
        private BatchRow[] _rows = new BatchRow[1];

        public void WarmUp() => work.WarmUp(_execution);

        public void Execute(Batch batch)
        {
            var count = batch.Requests.Count;
            if (_rows.Length < count) _rows = new BatchRow[count];
            for (var i = 0; i < count; i++) _rows[i] = batch.Requests[i].Row!;
            try
            {
                batch.Keep(_execution.Run(_rows.AsSpan(0, count), batch.Cancellation));
            }
            catch (Exception e) when (count == 1 || batch.Cancellation.IsCancellationRequested)
            {
                foreach (var request in batch.Requests) request.Call.Fail(RuntimeFailure.ToAnswer(e));
            }
            catch (Exception)
            {
                RunOneByOne(batch); // and so find whose fault it is
            }

            _rows.AsSpan(0, count).Clear();
        }

        private void RunOneByOne(Batch batch)
        {
            foreach (var request in batch.Requests)
            {
                try
                {
                    batch.Keep(_execution.Run([request.Row!], batch.Cancellation));
                }
                catch (Exception e)
                {
                    request.Call.Fail(RuntimeFailure.ToAnswer(e));
                }
            }
        }

        public void Dispose() => _execution.Dispose();
    }
}
