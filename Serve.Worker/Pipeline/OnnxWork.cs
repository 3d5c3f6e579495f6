using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Microsoft.ML.OnnxRuntime;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Protocol;
using Serve.Core.Scheduling;
using Serve.Worker.BuiltIn;
using Serve.Worker.Execution;
using Serve.Worker.Tensors;

namespace Serve.Worker.Pipeline;

/// <summary>An ONNX model with a handler before and after it.</summary>
internal sealed partial class OnnxWork : IModelWork
{
    // Copying so much takes a microsecond or two, waking a decode thread several.
    private const int CopiedOnReaderBytes = 16 << 10;

    // The first shows what the outputs are like, the second records.
    private const int RunsToRecord = 2;

    private static readonly TimeSpan BetweenLimit = TimeSpan.FromSeconds(1);

    private readonly IModelHandler _handler;
    private readonly OnnxModel _model;
    private readonly WarmupConfiguration _warmup;
    private readonly ILogger _logger;
    private readonly SlabPools _slabs;
    private readonly BatchRowPool _rows;
    private readonly ShapeClasses _shapes;
    private readonly TensorIntake _tensors;
    private readonly TensorAnswer _tensorAnswer;
    private readonly List<WarmUpTime> _warmUpTimes = [];
    private readonly bool _triesRows;
    private bool _saidNoAnswer;
    private long _paddedRows;

    public OnnxWork(IModelHandler handler, OnnxModel model, ModelConfiguration configuration, ILogger logger)
    {
        (_handler, _model, _warmup, _logger) = (handler, model, configuration.Warmup, logger);
        _triesRows = configuration.BatchDimension == BatchDimension.Checked;
        MaxBatchRows = model.Signature.Batching == RowBatching.Dynamic ? configuration.BatchSize : 1;
        Buckets = BucketSizes.Of(configuration, model.Signature, model.HasGraphs);
        _slabs = new SlabPools(model.Signature, configuration.BatchSize, configuration.Instances, model.AllocateRows);
        _rows = new BatchRowPool(model.Signature, configuration.BatchSize, _slabs);
        _shapes = new ShapeClasses(model.Signature);
        _tensors = new TensorIntake(model.Signature, configuration.BatchSize, model.BoundsRows);
        _tensorAnswer = new TensorAnswer(model.Signature);
    }

    // Device threads warm up one after the other, all before the worker is ready.
    public IReadOnlyList<WarmUpTime> WarmUpTimes => _warmUpTimes;

    public object Handler => _handler;

    public bool Decodes => true;

    public int MaxBatchRows { get; }

    // On another device than the processor, the device's own time is not what a call takes.
    public bool MayRunOnReader => _model.Device.StartsWith("cpu", StringComparison.Ordinal);

    public bool Streams => false;

    public long CopiedRows => _slabs.CopiedRows;

    public BatchBuckets Buckets { get; }

    public long PaddedRows => Interlocked.Read(ref _paddedRows);

    public bool IsOnlyCopied(WorkerRequest request) => request.Request.CarriesTensors && request.RunBytes <= CopiedOnReaderBytes;

    public DecodedRow Decode(WorkerRequest request)
    {
        var row = request.Row = _rows.Rent();
        if (request.Request.CarriesTensors) _tensors.Write(request.Request, row.Inputs);
        else _handler.Preprocess(request.Request, row.Inputs);
        row.Inputs.Complete();
        return new DecodedRow(row.Inputs.Rows, _shapes.Of(row.Inputs));
    }

    public IBatchRunner CreateRunner() => new Runner(this);

    public void Encode(WorkerRequest request)
    {
        if (request.Request.CarriesTensors) _tensorAnswer.Write(request.Request, request.Row!.Outputs, request.Response);
        else _handler.Postprocess(request.Request, request.Row!.Outputs, request.Response);
    }

    public void Release(WorkerRequest request)
    {
        if (request.Row is not { } row) return;
        request.Row = null;
        _rows.Return(row);
    }

    public void DisposeHandler() => _handler.Dispose();

    /// <summary>Lets go of the handler and of the rows' memory, so that another work can use the model.</summary>
    public void LeaveModel()
    {
        _handler.Dispose();
        _rows.Dispose();
        _slabs.Dispose();
    }

    public void Dispose()
    {
        LeaveModel();
        _model.Dispose();
    }

    // The largest batch first: memory arenas are then as large as they will be, and what is chosen by measurement is chosen
    // for it. Then one row, which is what the first request is; then what lies between, as long as that is quick. CUDA graphs
    // are recorded by it, so with them every size is run.
    private void WarmUp(BatchExecution execution)
    {
        var isFirst = _warmUpTimes.Count == 0;
        if (isFirst && _triesRows && MaxBatchRows > 1 && new BatchProbe(_model.Signature, execution, _rows.Rent, _rows.Return).FindFault() is { } fault) throw new UnbatchableOutputException(fault);
        if (_model.HasGraphs)
        {
            foreach (var rows in Buckets.Sizes.ToArray().Reverse()) RunWarm(execution, rows, Math.Max(RunsToRecord, _warmup.Enabled ? _warmup.Runs : 0));
            if (_model.GraphOf(MaxBatchRows) is null) throw new InvalidModelException("cudaGraphs is true, but the model's outputs do not have the shapes that it declares, so they cannot be bound to fixed memory; set execution.cudaGraphs: false.");
            return;
        }

        if (!_warmup.Enabled) return;
        try
        {
            RunWarm(execution, MaxBatchRows, isFirst ? _warmup.Runs : 1);

            // What is compiled and measured already serves every further instance; it only needs its own memory.
            if (MaxBatchRows == 1 || !isFirst) return;
            RunWarm(execution, 1, _warmup.Runs);
            var began = Stopwatch.GetTimestamp();
            foreach (var rows in SizesBetween())
            {
                if (Stopwatch.GetElapsedTime(began) >= BetweenLimit) break;
                RunWarm(execution, rows, _warmup.Runs);
            }
        }
        catch (OnnxRuntimeException e) when (_handler is not ImageClassifier and not ImageEmbedder && !RuntimeFailure.IsOutOfMemory(e))
        {
            // Zeros of the smallest shape need not be an input that the model takes.
            Log.WarmUpRefused(_logger, RuntimeFailure.Describe(e));
        }
    }

    private IEnumerable<int> SizesBetween()
    {
        if (!Buckets.IsAny) return Buckets.Sizes.ToArray().Reverse().Where(size => size > 1 && size < MaxBatchRows);
        return Enumerable.Range(1, 12).Select(halvings => MaxBatchRows >> halvings).TakeWhile(rows => rows > 1);
    }

    private void RunWarm(BatchExecution execution, int count, int runs)
    {
        var rows = new BatchRow[count];
        for (var i = 0; i < rows.Length; i++) rows[i] = _rows.Rent();
        try
        {
            foreach (var row in rows) WriteZeros(row.Inputs);
            for (var i = 0; i < runs; i++)
            {
                var began = Stopwatch.GetTimestamp();
                using var outputs = execution.Run(rows, CancellationToken.None);
                _warmUpTimes.Add(new WarmUpTime(count, (long)Stopwatch.GetElapsedTime(began).TotalMicroseconds));
                if (_handler is IWarmUp) Postprocess(rows[0]); // a user's may expect a request
            }
        }
        finally
        {
            foreach (var row in rows) _rows.Return(row);
        }
    }

    private void Postprocess(BatchRow row)
    {
        var request = new WorkerRequest();
        try
        {
            _handler.Postprocess(request.Request, row.Outputs, request.Response);
        }
        catch (InternalServerException e)
        {
            // What a model makes of zeros need not be an answer: who divides by a norm gets NaN.
            if (!_saidNoAnswer) Log.ZerosHaveNoAnswer(_logger, e.Message);
            _saidNoAnswer = true;
        }
    }

    private void WriteZeros(RowInputs inputs)
    {
        if (_handler is IWarmUp stock) stock.WriteZeros(inputs);
        else ZeroRow.Write(_model.Signature, inputs);
        inputs.Complete();
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "Not warmed up: the model refuses zeros of the smallest shape ({Reason})")]
        public static partial void WarmUpRefused(ILogger logger, string reason);

        [LoggerMessage(2, LogLevel.Information, "Zeros, with which the model is warmed up, have no answer ({Reason})")]
        public static partial void ZerosHaveNoAnswer(ILogger logger, string reason);
    }

    private sealed class Runner(OnnxWork work) : IBatchRunner
    {
        private readonly BatchExecution _execution = new(work._model, work.Buckets);
        private BatchRow[] _rows = new BatchRow[1];

        public void WarmUp() => work.WarmUp(_execution);

        public void Execute(Batch batch)
        {
            var count = batch.Requests.Count;
            if (_rows.Length < count) _rows = new BatchRow[count];
            for (var i = 0; i < count; i++) _rows[i] = batch.Requests[i].Row!;
            try
            {
                if (_execution.Run(_rows.AsSpan(0, count), batch.Cancellation) is { } outputs) batch.Keep(outputs);
                if (work.Buckets.SizeOf(batch.Rows) - batch.Rows is > 0 and var padding) Interlocked.Add(ref work._paddedRows, padding);
            }
            catch (Exception e) when (count == 1 || batch.Cancellation.IsCancellationRequested || IsDeviceLost(e))
            {
                Observe(e, batch);
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
                    if (_execution.Run([request.Row!], batch.Cancellation) is { } outputs) batch.Keep(outputs);
                }
                catch (Exception e)
                {
                    Observe(e, batch);
                    request.Call.Fail(RuntimeFailure.ToAnswer(e));
                }
            }
        }

        private void Observe(Exception failure, Batch batch)
        {
            if (IsDeviceLost(failure)) batch.DeviceLoss = failure;
        }

        // On the CPU such words can only be a request's own, which an operator has put into its message.
        private bool IsDeviceLost(Exception failure) => work._model.IsOnGpu && RuntimeFailure.IsDeviceLost(failure);

        public void Dispose() => _execution.Dispose();
    }
}
