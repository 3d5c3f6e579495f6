using Serve.Core.Handlers;
using Serve.Worker.Execution;

namespace Serve.Worker.Pipeline;

/// <summary>An ONNX model with a handler before and after it.</summary>
internal sealed class OnnxWork(IModelHandler handler, OnnxModel model, int batchSize) : IModelWork
{
    private readonly BatchRowPool _rows = new(model.Signature, batchSize);
    private readonly ShapeClasses _shapes = new(model.Signature);

    public bool Decodes => true;

    public int MaxBatchRows { get; } = model.Signature.Batching == RowBatching.Dynamic ? batchSize : 1;

    public bool MayRunOnReader => false;

    public int Decode(WorkerRequest request)
    {
        var row = request.Row = _rows.Rent();
        handler.Preprocess(request.Request, row.Inputs);
        row.Inputs.Complete();
        request.Rows = row.Inputs.Rows;
        return _shapes.Of(row.Inputs);
    }

    public IBatchRunner CreateRunner() => new Runner(model);

    public void Encode(WorkerRequest request) => handler.Postprocess(request.Request, request.Row!.Outputs, request.Response);

    public void Release(WorkerRequest request)
    {
        if (request.Row is not { } row) return;
        request.Row = null;
        _rows.Return(row);
    }

    public void Dispose()
    {
        handler.Dispose();
        _rows.Dispose();
        model.Dispose();
    }

    private sealed class Runner(OnnxModel model) : IBatchRunner
    {
        private readonly BatchExecution _execution = new(model);
        private BatchRow[] _rows = new BatchRow[1];

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
