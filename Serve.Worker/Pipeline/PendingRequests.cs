using Serve.Core.Protocol;
using Serve.Core.Scheduling;

namespace Serve.Worker.Pipeline;

/// <summary>
/// All requests of this worker between arrival and answer, and who may touch them: the one place that moves a request from
/// phase to phase. One lock, held for moments. Each request leaves exactly once: answered, or given back.
/// </summary>
internal sealed class PendingRequests(IModelWork work, RequestPool pool, int instances, TimeProvider time)
{
    private readonly object _gate = new();
    private readonly Dictionary<ulong, WorkerRequest> _byId = [];
    private readonly BatchFormer<WorkerRequest> _former = new(new BatchFormerOptions(), time.TimestampFrequency, new BatchCostModel(Math.Max(1, work.MaxBatchRows)), work.Buckets);
    private readonly List<WorkerRequest> _recalled = [];
    private readonly StageClock _stages = new(time);
    private int _executing;
    private int _idleDevices;
    private int _decoding;
    private bool _runsOnReader;
    private bool _isClosed;

    /// <summary>Requests that wait for a decode thread.</summary>
    public DecodeQueue ToDecode { get; } = new();

    /// <summary>Batches were run before the first request.</summary>
    public void Learn(IEnumerable<WarmUpTime> times)
    {
        lock (_gate)
        {
            foreach (var (rows, microseconds) in times) _former.Learn(rows, (long)(microseconds / 1e6 * time.TimestampFrequency));
        }
    }

    /// <summary>A request has arrived. By the reader's thread.</summary>
    /// <param name="request">The request.</param>
    /// <param name="more">Another request of the same batch follows at once; none of them is ready before all are.</param>
    /// <returns>Whether it must be decoded, which the caller sees to: here (<see cref="BeginDecoding"/>), or by a decode thread (<see cref="ToDecode"/>).</returns>
    /// <exception cref="ProtocolException">Its id is in use.</exception>
    public bool Arrive(WorkerRequest request, bool more)
    {
        lock (_gate)
        {
            if (!_byId.TryAdd(request.Id, request)) throw new ProtocolException($"Run {request.Id} came twice.");
            var wakeup = _former.NextWakeup;
            _former.AddArrived(request, more, request.ArrivalTimestamp);
            if (_former.NextWakeup < wakeup) WakeDeviceToWait();
            if (!work.Decodes)
            {
                MakeReady(request, new DecodedRow(request.Rows, 0), byReader: true);
                return false;
            }

            request.Phase = RequestPhase.Decoding;
            request.IsWithDecoder = true;
            _decoding++;
            Observe(request.ArrivalTimestamp);
            return true;
        }
    }

    /// <summary>Decoding a request begins.</summary>
    /// <returns>False when it is cancelled or given back already; the request is released then.</returns>
    public bool BeginDecoding(WorkerRequest request)
    {
        lock (_gate)
        {
            if (request.Phase == RequestPhase.Decoding) return true;
            request.IsWithDecoder = false;
        }

        Release(request);
        return false;
    }

    /// <summary>A request's row is written.</summary>
    /// <param name="request">The request.</param>
    /// <param name="row">What its row is like.</param>
    /// <param name="byReader">Whether the reader's thread wrote it.</param>
    public void EndDecoding(WorkerRequest request, DecodedRow row, bool byReader)
    {
        lock (_gate)
        {
            request.IsWithDecoder = false;
            _stages.AddDecode(time.GetTimestamp() - request.DecodeStartTimestamp);
            if (request.Phase == RequestPhase.Decoding)
            {
                MakeReady(request, row, byReader);
                return;
            }
        }

        Release(request);
    }

    /// <summary>Decoding failed.</summary>
    /// <returns>True when the request still wants an answer; the caller answers it and calls <see cref="Release"/>.</returns>
    public bool FailDecoding(WorkerRequest request)
    {
        lock (_gate)
        {
            request.IsWithDecoder = false;
            _stages.AddDecode(time.GetTimestamp() - request.DecodeStartTimestamp);
            if (request.Phase == RequestPhase.Decoding)
            {
                Remove(request);
                return true;
            }
        }

        Release(request);
        return false;
    }

    /// <summary>Waits until a device slot can be used and fills a batch with what is ready.</summary>
    /// <returns>False when the worker leaves.</returns>
    public bool TakeBatch(Batch batch)
    {
        lock (_gate)
        {
            while (!_isClosed)
            {
                if (TryClose(batch)) return true;
                WaitForRows();
            }

            return false;
        }
    }

    /// <summary>As <see cref="TakeBatch"/>, without waiting.</summary>
    public bool TryTakeBatch(Batch batch)
    {
        lock (_gate) return TryClose(batch);
    }

    /// <summary>The batch's execution has ended, its slot is free.</summary>
    /// <returns>Whether another batch could be closed at once.</returns>
    public bool EndExecution(Batch batch)
    {
        lock (_gate)
        {
            _executing--;
            _stages.CountBatch(batch.Rows);
            Observe(batch.ExecutedTimestamp);

            // A row that would be late after a batch of the usual length is not executed; streams have no usual length.
            if (!batch.Streams) _former.Learn(batch.Rows, Math.Max(0, batch.ExecutedTimestamp - batch.ExecutionTimestamp));
            return _former.ReadyRequests > 0;
        }
    }

    /// <summary>The batch's requests are answered: they are forgotten and may be reused.</summary>
    public void Finish(Batch batch)
    {
        lock (_gate)
        {
            foreach (var request in batch.Requests) Forget(request);
        }

        foreach (var request in batch.Requests) Release(request);
    }

    /// <summary>Nobody waits for the request any more.</summary>
    /// <returns>True when it had not begun: the caller answers it with 499. One that has begun is answered with its batch.</returns>
    public bool Cancel(ulong id)
    {
        CancellationTokenSource? unwanted;
        CancellationTokenSource? unwantedBatch;
        lock (_gate)
        {
            if (!_byId.TryGetValue(id, out var request)) return false; // answered meanwhile
            if (request.Phase != RequestPhase.Begun)
            {
                if (TakeBack(request)) Release(request);
                return true;
            }

            if (request.IsCancelled) return false;
            unwanted = request.Call.MarkCancelled();
            unwantedBatch = request.Batch!.CountOver(request);
            request.Room?.Close();
        }

        // Outside the lock: a handler's own code may run.
        unwanted?.Cancel();
        unwantedBatch?.Cancel();
        return false;
    }

    /// <summary>A request is answered while its batch goes on. Its object stays the batch's.</summary>
    /// <returns>What to cancel, without holding a lock: somebody waited for this one only.</returns>
    public CancellationTokenSource? EndEarly(WorkerRequest request)
    {
        lock (_gate)
        {
            Forget(request);
            return request.Batch!.CountOver(request);
        }
    }

    /// <summary>A client has taken parts of its answer.</summary>
    public void Taken(ulong id, long cost)
    {
        lock (_gate)
        {
            if (_byId.TryGetValue(id, out var request)) request.Room?.Taken(cost);
        }
    }

    /// <summary>Gives back requests that have not begun, the last arrived first.</summary>
    /// <param name="rows">At most so many rows.</param>
    /// <param name="ids">The ids of what is given back are added here.</param>
    public void Recall(int rows, List<ulong> ids)
    {
        lock (_gate)
        {
            _former.Recall(rows, _recalled);
            foreach (var request in _recalled)
            {
                ids.Add(request.Id);
                Forget(request);
                if (!request.IsWithDecoder) Release(request);
            }

            _recalled.Clear();
            WakeDevice(); // the rest of a delayed batch may have waited for these only
        }
    }

    /// <summary>Whether the reader's thread executes batches itself, because that costs less than waking the device thread.</summary>
    public bool RunsOnReader
    {
        get => Volatile.Read(ref _runsOnReader);
        set
        {
            lock (_gate)
            {
                _runsOnReader = value;
                if (!value && _former.ReadyRequests > 0) WakeDevice();
            }
        }
    }

    /// <summary>The request is at its end for everyone: its object and row may be reused.</summary>
    public void Release(WorkerRequest request)
    {
        work.Release(request);
        pool.Return(request);
    }

    /// <summary>What the stages did so far.</summary>
    /// <param name="memory">A gauge with what is known of the process's memory.</param>
    /// <param name="others">What others count: postprocessing, copies, threads.</param>
    public GaugeMessage Measure(GaugeMessage memory, StageMessage others)
    {
        lock (_gate)
        {
            return memory with
            {
                BusyMicroseconds = _stages.BusyMicroseconds,
                Batches = _stages.Batches,
                Rows = _stages.Rows,
                DecodeQueue = ToDecode.Count,
                Ready = _former.ReadyRows,
                Stages = _stages.Measure(others),
            };
        }
    }

    /// <summary>Ends all threads that wait here.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _isClosed = true;
            Monitor.PulseAll(_gate);
        }

        ToDecode.Close();
    }

    // All below: under the lock.

    private void MakeReady(WorkerRequest request, DecodedRow row, bool byReader)
    {
        var now = time.GetTimestamp();
        if (request.Phase == RequestPhase.Decoding) _decoding--;
        request.Phase = RequestPhase.Ready;
        request.Rows = row.Rows;
        _former.MarkReady(request, row.ShapeClass, now);
        Observe(now);

        // The reader looks for batches after each chunk; a row that a decode thread wrote may be ready only after it has looked.
        if (!_runsOnReader || !byReader) WakeDevice();
    }

    private void WakeDevice()
    {
        if (_idleDevices > 0 && _former.ReadyRequests > 0) Monitor.Pulse(_gate);
    }

    // A device that waits without a limit, or with a later one, does not know of the batch that has just been opened.
    private void WakeDeviceToWait()
    {
        if (_idleDevices > 0) Monitor.Pulse(_gate);
    }

    private void WaitForRows()
    {
        _idleDevices++;
        if (_former.NextWakeup == long.MaxValue)
        {
            Monitor.Wait(_gate);
        }
        else
        {
            // A delayed batch is open; should its announced successor be lost, it is closed at that time.
            var wait = time.GetElapsedTime(time.GetTimestamp(), _former.NextWakeup);
            Monitor.Wait(_gate, Math.Max(1, (int)Math.Ceiling(wait.TotalMilliseconds)));
        }

        _idleDevices--;
    }

    private bool TryClose(Batch batch)
    {
        if (_executing == instances) return false;
        var now = time.GetTimestamp();
        batch.CloseFrom(_former, now, work.MaxBatchRows);
        foreach (var request in batch.Late) Forget(request);
        if (batch.Requests.Count == 0)
        {
            Observe(now);
            return batch.Late.Count > 0;
        }

        foreach (var request in batch.Requests)
        {
            request.Phase = RequestPhase.Begun;
            request.Batch = batch;
        }

        _executing++;
        Observe(now);

        // The last row of a delayed batch makes all of them ready and wakes one device; who takes some of them wakes the next.
        if (!_runsOnReader) WakeDevice();
        return true;
    }

    private void Forget(WorkerRequest request)
    {
        _byId.Remove(request.Id);
        if (request.Phase == RequestPhase.Decoding) _decoding--;
        request.Phase = RequestPhase.None;
    }

    private void Observe(long now) => _stages.Observe(_executing, _former.ReadyRequests, _decoding, now);

    /// <returns>Whether the caller releases the request; else the decode thread does that has it.</returns>
    private bool TakeBack(WorkerRequest request)
    {
        Remove(request);
        return !request.IsWithDecoder;
    }

    private void Remove(WorkerRequest request)
    {
        _former.Remove(request);
        Forget(request);
        WakeDevice(); // the rest of a delayed batch may have waited for this row only
    }
}
