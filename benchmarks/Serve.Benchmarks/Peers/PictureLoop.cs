using System.Diagnostics;
using Microsoft.ML.OnnxRuntime;
using Serve.Core.Configuration;
using Serve.Core.Handlers;
using Serve.Worker.Images;

namespace Serve.Benchmarks.Peers;

/// <summary>Decoding and executing as a program would do it that does nothing else. See <see cref="BarePictures"/>.</summary>
internal sealed class PictureLoop : IDisposable
{
    private const int Buffers = 3;

    private readonly BarePictures.Plan _plan;
    private readonly byte[][] _files;
    private readonly InferenceSession _session;
    private readonly ImagePreprocessor _preprocessor;
    private readonly BatchBuffer[] _buffers;
    private readonly object _gate = new();
    private readonly Queue<BatchBuffer> _free = new();
    private readonly Queue<BatchBuffer> _full = new();
    private BatchBuffer? _filling;
    private bool _isStopped;
    private int _nextFile;
    private long _decoded;

    public PictureLoop(string model, byte[][] files, BarePictures.Plan plan)
    {
        (_plan, _files) = (plan, files);
        using var options = new SessionOptions { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR, IntraOpNumThreads = plan.IntraOpThreads, InterOpNumThreads = 1 };
        options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
        _session = new InferenceSession(model, options);
        var input = _session.InputMetadata.Single();
        var shape = input.Value.Dimensions.Select(dimension => (long)dimension).ToArray();
        _preprocessor = new ImagePreprocessor(PreprocessingResolver.Resolve(new PreprocessingConfiguration(), new TensorInfo(input.Key, TensorElement.Float32, shape)));
        _preprocessor.WarmUp();
        _buffers = [.. Enumerable.Range(0, Buffers).Select(_ => new BatchBuffer(_session, plan.Batch))];
        foreach (var buffer in _buffers) buffer.Execute(_session);
    }

    public BarePictures.Rates Run(BarePictures.Work work, TimeSpan duration) => work switch
    {
        BarePictures.Work.Overlapped => RunOverlapped(duration),
        BarePictures.Work.InTurns => RunInTurns(duration),
        BarePictures.Work.Decode => RunSideBySide(duration, executes: false, decodes: true),
        BarePictures.Work.Execute => RunSideBySide(duration, executes: true, decodes: false),
        _ => RunSideBySide(duration, executes: true, decodes: true),
    };

    public void Dispose()
    {
        foreach (var buffer in _buffers) buffer.Dispose();
        _session.Dispose();
    }

    private BarePictures.Rates RunOverlapped(TimeSpan duration)
    {
        _isStopped = false;
        _full.Clear();
        _free.Clear();
        _filling = null;
        foreach (var buffer in _buffers) _free.Enqueue(buffer);
        var threads = StartDecoders(FillRows);
        long executed = 0;
        var started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) < duration)
        {
            var buffer = TakeFull();
            buffer.Execute(_session);
            executed += _plan.Batch;
            lock (_gate)
            {
                _free.Enqueue(buffer);
                Monitor.PulseAll(_gate);
            }
        }

        var rate = executed / Stopwatch.GetElapsedTime(started).TotalSeconds;
        Stop(threads);
        return new BarePictures.Rates(rate, rate);
    }

    private BarePictures.Rates RunInTurns(TimeSpan duration)
    {
        long executed = 0;
        var started = Stopwatch.GetTimestamp();
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount };
        while (Stopwatch.GetElapsedTime(started) < duration)
        {
            Parallel.For(0, _plan.Batch, parallel, row => Decode(_buffers[0], row));
            _buffers[0].Execute(_session);
            executed += _plan.Batch;
        }

        var rate = executed / Stopwatch.GetElapsedTime(started).TotalSeconds;
        return new BarePictures.Rates(rate, rate);
    }

    private BarePictures.Rates RunSideBySide(TimeSpan duration, bool executes, bool decodes)
    {
        _isStopped = false;
        _decoded = 0;
        var started = Stopwatch.GetTimestamp();
        var threads = decodes ? StartDecoders(DecodeOnly) : [];
        long executed = 0;
        while (Stopwatch.GetElapsedTime(started) < duration)
        {
            if (!executes)
            {
                Thread.Sleep(duration - Stopwatch.GetElapsedTime(started));
                break;
            }

            _buffers[0].Execute(_session);
            executed += _plan.Batch;
        }

        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        var decoded = Interlocked.Read(ref _decoded);
        Stop(threads);
        return new BarePictures.Rates(decoded / seconds, executed / seconds);
    }

    private Thread[] StartDecoders(Action<int> decode)
    {
        Thread[] threads = [.. Enumerable.Range(0, _plan.DecodeThreads).Select(index => new Thread(() => decode(index)) { IsBackground = true })];
        foreach (var thread in threads) thread.Start();
        return threads;
    }

    private void Stop(Thread[] threads)
    {
        lock (_gate)
        {
            _isStopped = true;
            Monitor.PulseAll(_gate);
        }

        foreach (var thread in threads) thread.Join();
    }

    private void DecodeOnly(int thread)
    {
        var tensor = new byte[_preprocessor.OutputBytes];
        while (!Volatile.Read(ref _isStopped))
        {
            _preprocessor.Preprocess(NextFile(), tensor, CancellationToken.None);
            Interlocked.Increment(ref _decoded);
        }
    }

    private void FillRows(int thread)
    {
        while (TakeRow() is var (buffer, row) && buffer is not null)
        {
            Decode(buffer, row);
            lock (_gate)
            {
                if (++buffer.Filled < _plan.Batch) continue;
                _full.Enqueue(buffer);
                Monitor.PulseAll(_gate);
            }
        }
    }

    private (BatchBuffer? Buffer, int Row) TakeRow()
    {
        lock (_gate)
        {
            while (!_isStopped)
            {
                if (_filling is null && _free.TryDequeue(out var next))
                {
                    next.Taken = next.Filled = 0;
                    _filling = next;
                }

                if (_filling is { } buffer)
                {
                    var row = buffer.Taken++;
                    if (buffer.Taken == _plan.Batch) _filling = null;
                    return (buffer, row);
                }

                Monitor.Wait(_gate);
            }

            return (null, 0);
        }
    }

    private BatchBuffer TakeFull()
    {
        lock (_gate)
        {
            while (_full.Count == 0) Monitor.Wait(_gate);
            return _full.Dequeue();
        }
    }

    private void Decode(BatchBuffer buffer, int row) => _preprocessor.Preprocess(NextFile(), buffer.Row(row, _preprocessor.OutputBytes), CancellationToken.None);

    private byte[] NextFile() => _files[(int)((uint)Interlocked.Increment(ref _nextFile) % (uint)_files.Length)];

    /// <summary>The tensors of one batch, bound to the session once.</summary>
    private sealed class BatchBuffer : IDisposable
    {
        private readonly float[] _pixels;
        private readonly OrtValue _input;
        private readonly OrtValue _output;
        private readonly OrtIoBinding _binding;
        private readonly RunOptions _options = new();

        public BatchBuffer(InferenceSession session, int batch)
        {
            var (input, output) = (session.InputMetadata.Single(), session.OutputMetadata.Single());
            var row = input.Value.Dimensions.Skip(1).Aggregate(1, (product, dimension) => product * dimension);
            var classes = output.Value.Dimensions.Skip(1).Aggregate(1, (product, dimension) => product * dimension);
            _pixels = GC.AllocateArray<float>(batch * row, pinned: true);
            var random = new Random(1);
            for (var i = 0; i < _pixels.Length; i++) _pixels[i] = (random.NextSingle() * 2) - 1;
            _input = OrtValue.CreateTensorValueFromMemory(_pixels, [batch, .. input.Value.Dimensions.Skip(1).Select(dimension => (long)dimension)]);
            _output = OrtValue.CreateTensorValueFromMemory(new float[batch * classes], [batch, .. output.Value.Dimensions.Skip(1).Select(dimension => (long)dimension)]);
            _binding = session.CreateIoBinding();
            _binding.BindInput(input.Key, _input);
            _binding.BindOutput(output.Key, _output);
        }

        public int Taken { get; set; }

        public int Filled { get; set; }

        public Span<byte> Row(int row, int bytes) => System.Runtime.InteropServices.MemoryMarshal.AsBytes(_pixels.AsSpan()).Slice(row * bytes, bytes);

        public void Execute(InferenceSession session) => session.RunWithBinding(_options, _binding);

        public void Dispose()
        {
            _binding.Dispose();
            _input.Dispose();
            _output.Dispose();
            _options.Dispose();
        }
    }
}
