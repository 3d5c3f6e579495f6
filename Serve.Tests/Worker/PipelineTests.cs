using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Memory;
using Serve.Core.Protocol;
using Serve.Core.Workers;
using Serve.Worker.BuiltIn;
using Serve.Worker.Execution;
using Serve.Worker.Pipeline;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Tests.Worker;

/// <summary>The pipeline in this process, over a pair of sockets: for what a process cannot show.</summary>
public sealed class PipelineTests
{
    [Fact]
    public void A_cheap_handler_moves_to_the_readers_thread_and_batches_what_one_chunk_brings()
    {
        using var pipeline = new RunningPipeline(new RecordingHandler(), mayRunOnReader: true);
        ulong id = 0;
        do
        {
            pipeline.Run(++id);
            pipeline.Flush();
            pipeline.ReadOutput();
        }
        while (pipeline.Handler.LastThread != "reader");

        // By the clock of the test nothing takes any time; 48 batches were the trial.
        Assert.Equal(49ul, id);
        for (var i = 0; i < 8; i++) pipeline.Run(++id);
        pipeline.Flush();
        for (var i = 0; i < 8; i++) Assert.Equal(8u, pipeline.ReadOutput());
    }

    [Fact]
    public void A_handler_that_turns_out_slow_goes_back_to_the_device_thread_until_it_has_been_tried_again()
    {
        using var pipeline = new RunningPipeline(new RecordingHandler(), mayRunOnReader: true);
        ulong id = 0;
        do Answer();
        while (pipeline.Handler.LastThread != "reader");

        pipeline.Handler.Takes = TimeSpan.FromMilliseconds(50);
        Answer();
        pipeline.Handler.Takes = TimeSpan.Zero;
        for (var i = 0; i < 2 * ReaderShortcut.Trial; i++)
        {
            Answer();
            Assert.Equal("device", pipeline.Handler.LastThread);
        }

        Answer();
        Assert.Equal("reader", pipeline.Handler.LastThread);

        void Answer()
        {
            pipeline.Run(++id);
            pipeline.Flush();
            pipeline.ReadOutput();
        }
    }

    [Fact]
    public void Who_takes_the_processor_now_and_then_does_not_end_the_readers_batches_but_batches_that_take_longer_do()
    {
        using var pipeline = new RunningPipeline(new RecordingHandler(), mayRunOnReader: true);
        ulong id = 0;
        do Answer();
        while (pipeline.Handler.LastThread != "reader");

        // Ten milliseconds in one batch of twelve are a mean of 0.8 ms.
        for (var i = 0; i < 120; i++)
        {
            pipeline.Handler.Takes = TimeSpan.FromMilliseconds(i % 12 == 0 ? 10 : 0);
            Answer();
            Assert.Equal("reader", pipeline.Handler.LastThread);
        }

        pipeline.Handler.Takes = TimeSpan.FromMilliseconds(0.5);
        for (var i = 0; i < 100; i++) Answer();
        Assert.Equal("device", pipeline.Handler.LastThread);

        void Answer()
        {
            pipeline.Run(++id);
            pipeline.Flush();
            pipeline.ReadOutput();
        }
    }

    [Fact]
    public void The_readers_thread_executes_nothing_where_nothing_else_would_end_the_process()
    {
        using var pipeline = new RunningPipeline(new RecordingHandler(), mayRunOnReader: false);

        for (ulong id = 1; id <= 100; id++)
        {
            pipeline.Run(id);
            pipeline.Flush();
            pipeline.ReadOutput();
            Assert.Equal("device", pipeline.Handler.LastThread);
        }
    }

    [Fact]
    public void Once_warm_the_pipeline_allocates_nothing_for_a_request()
    {
        using var pipeline = new RunningPipeline(new RecordingHandler(), mayRunOnReader: true);
        ulong id = 0;
        long allocated = 0;
        for (var i = 0; i < 400; i++)
        {
            // From one execution on the reader's thread to the next lies all that it does for a request.
            if (i == 200) allocated = pipeline.Handler.AllocatedBytes;
            pipeline.Run(++id);
            pipeline.Flush();
            pipeline.ReadOutput();
        }

        Assert.Equal("reader", pipeline.Handler.LastThread);
        // Less than the smallest object a request: a lock that was fought over makes itself a waiting place, once.
        Assert.InRange(pipeline.Handler.AllocatedBytes - allocated, 0, 200 * 8);
    }

    [Fact]
    public void Every_request_is_answered_or_given_back_exactly_once_whatever_is_cancelled_and_recalled()
    {
        using var pipeline = new RunningPipeline(new RecordingHandler(), mayRunOnReader: true);

        RunAtRandom(pipeline, new Random(11), rounds: 300, static (id, _) => $"{id}", static (_, _, _) => { });
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Every_request_that_is_decoded_gets_its_own_answer_whatever_is_cancelled_recalled_and_refused(bool mayRunOnReader)
    {
        using var identity = new IdentityWork(new TensorHandler());
        using var pipeline = new RunningPipeline(identity.Work, TimeProvider.System, mayRunOnReader);

        // One or two numbers a row (two shapes), one or two rows, or no JSON at all.
        RunAtRandom(pipeline, new Random(12), rounds: 150, BodyOf, static (id, status, text) =>
        {
            if (status == 499) return;
            Assert.Equal(id % 7 == 0 ? 400 : 200, status);
            if (status == 200) Assert.Equal(BodyOf(id, 0), text);
        });

        static string BodyOf(ulong id, int _)
        {
            if (id % 7 == 0) return "no JSON";
            var row = id % 3 == 0 ? $"[{id},{id + 1}]" : $"[{id}]";
            return id % 2 == 0 ? $"[{row},{row}]" : row;
        }
    }

    [Fact]
    public void Tensors_move_to_the_readers_thread_and_what_a_decode_thread_reads_meanwhile_does_not_wait_for_them()
    {
        using var identity = new IdentityWork(new TensorHandler());
        using var pipeline = new RunningPipeline(identity.Work, new FakeTimeProvider(), mayRunOnReader: true);

        ulong id = 0;
        while (!pipeline.RunsOnReader)
        {
            pipeline.RunTensor(++id, (long)id);
            pipeline.Flush();
            Assert.Equal(1u, pipeline.ReadOutput());
        }

        var together = 0;
        for (var i = 0; i < 50; i++)
        {
            // The reader takes the tensors of a chunk together, unless the device thread, which looks once more before it sleeps
            // after what it had, takes the first of them.
            for (var k = 0; k < 3; k++) pipeline.RunTensor(++id, (long)id);
            pipeline.Flush();
            for (var k = 0; k < 3; k++) together += pipeline.ReadOutput() == 3 ? 1 : 0;

            // And then waits for more; what is decoded meanwhile is the device thread's.
            pipeline.Run(++id, $"[{id}]");
            pipeline.Flush();
            pipeline.Read((answered, status, text) => Assert.Equal((id, 200, $"[{id}]"), (answered, status, text)), FrameType.Output);
        }

        Assert.True(pipeline.RunsOnReader);
        Assert.True(together > 0, "no chunk's tensors were a batch");
    }

    [Fact]
    public void A_delayed_batch_whose_announced_successor_never_comes_is_executed_all_the_same()
    {
        // The device thread began to wait before there was anything that a time limit could be for.
        using var pipeline = new RunningPipeline(new HandlerWork(new RecordingHandler(), 8), TimeProvider.System, mayRunOnReader: false);

        pipeline.Run(1, more: true);
        pipeline.Flush();

        Assert.Equal(1u, pipeline.ReadOutput());
    }

    [Theory]
    [InlineData(FrameType.Cancel)]
    [InlineData(FrameType.Recall)]
    public void The_rest_of_a_delayed_batch_is_executed_when_the_row_that_it_waited_for_leaves(FrameType how)
    {
        var handler = new HeldTensorHandler("[2]");
        using var identity = new IdentityWork(handler);
        using var pipeline = new RunningPipeline(identity.Work, TimeProvider.System, mayRunOnReader: false);

        pipeline.Run(1, "[1]", more: true);
        pipeline.Run(2, "[2]");
        pipeline.Flush();
        handler.IsHolding.Wait(TimeSpan.FromSeconds(60));
        if (how == FrameType.Cancel) pipeline.Send(how, 2);
        else pipeline.Send(how, 0, BitConverter.GetBytes(1u));
        pipeline.Flush();

        var answers = new Dictionary<ulong, (int Status, string Text)>();
        while (!answers.ContainsKey(1)) pipeline.Read((id, status, text) => answers.Add(id, (status, text)), FrameType.Output, FrameType.Returned);
        handler.Go.Set();
        Assert.Equal((200, "[1]"), answers[1]);
    }

    [Fact]
    public void A_request_that_is_cancelled_while_it_is_decoded_is_answered_at_once_and_its_body_is_freed_when_nobody_reads_it()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "This system has no memfd.");
        var handler = new HeldTensorHandler("[2]");
        using var identity = new IdentityWork(handler);
        using var pipeline = new RunningPipeline(identity.Work, TimeProvider.System, mayRunOnReader: false);

        Assert.True(pipeline.Run(2, "[2]", isShared: true));
        pipeline.Flush();
        Assert.True(handler.IsHolding.Wait(TimeSpan.FromSeconds(60)));
        pipeline.Send(FrameType.Cancel, 2);
        pipeline.Flush();
        pipeline.Read((id, status, _) => Assert.Equal((2ul, 499), (id, status)), FrameType.Output);
        pipeline.Send(FrameType.Recall, 0, BitConverter.GetBytes(1u)); // whatever is waiting to be sent comes along
        pipeline.Flush();
        pipeline.Read((_, _, _) => { }, FrameType.Returned);
        Assert.NotEqual(0, pipeline.BodyMemoryInUse);

        handler.Go.Set();
        for (ulong id = 3; pipeline.BodyMemoryInUse > 0; id++)
        {
            pipeline.Run(id, "[1]");
            pipeline.Flush();
            pipeline.Read((_, status, _) => Assert.Equal(200, status), FrameType.Output);
        }
    }

    [Fact]
    public void A_device_that_takes_no_more_work_ends_its_thread_when_what_it_had_is_answered()
    {
        using var work = new LostDeviceWork();
        using var pipeline = new RunningPipeline(work, TimeProvider.System, mayRunOnReader: false);

        pipeline.Run(1);
        pipeline.Flush();

        pipeline.Read((id, status, text) => Assert.Equal((1ul, 500, true), (id, status, text.Contains("CUDA failure 700", StringComparison.Ordinal))), FrameType.Output);
        Assert.Equal("CUDA failure 700", pipeline.WaitForDeviceLoss().InnerException!.Message);
    }

    private static void RunAtRandom(RunningPipeline pipeline, Random random, int rounds, Func<ulong, int, string> bodyOf, Action<ulong, int, string> check)
    {
        var (open, lent) = (new HashSet<ulong>(), new HashSet<ulong>());
        ulong next = 0;
        for (var round = 0; round < rounds; round++)
        {
            var recalls = 0;
            for (var i = random.Next(1, 40); i > 0; i--)
            {
                switch (random.Next(6))
                {
                    case 0 when next > 0:
                        pipeline.Send(FrameType.Cancel, (ulong)random.NextInt64((long)next) + 1);
                        break;
                    case 1:
                        pipeline.Send(FrameType.Recall, 0, BitConverter.GetBytes((uint)random.Next(5)));
                        recalls++;
                        break;
                    default:
                        open.Add(++next);
                        if (pipeline.Run(next, bodyOf(next, round), isShared: random.Next(2) == 0)) lent.Add(next);
                        break;
                }

                if (random.Next(8) == 0) pipeline.Flush();
            }

            pipeline.Flush();
            while (open.Count > 0 || recalls > 0) Read(ref recalls);
        }

        // What it says of bodies that it has read leaves with the next answer.
        while (lent.Count > 0)
        {
            var none = 0;
            open.Add(++next);
            pipeline.Run(next, bodyOf(next, rounds));
            pipeline.Flush();
            while (open.Count > 0) Read(ref none);
        }

        Assert.Equal(0, pipeline.BodyMemoryInUse);

        void Read(ref int recalls)
        {
            var (type, id, returned) = pipeline.Read(check, FrameType.Output, FrameType.Returned, FrameType.Freed);
            switch (type)
            {
                case FrameType.Output:
                    Assert.True(open.Remove(id), $"{id} was answered twice");
                    break;
                case FrameType.Freed:
                    Assert.True(lent.Remove(id), $"the body of {id} was freed twice");
                    break;
                default:
                    recalls--;
                    foreach (var one in returned) Assert.True(open.Remove(one), $"{one} was given back after its answer");
                    break;
            }
        }
    }

    /// <summary>Echoes nothing, remembers on which thread it ran, and takes as long as it is told by the test's clock.</summary>
    private sealed class RecordingHandler : IBatchHandler
    {
        public FakeTimeProvider Time { get; } = new();

        public TimeSpan Takes { get; set; }

        public string? LastThread { get; private set; }

        /// <summary>By the thread that executed last, since its start.</summary>
        public long AllocatedBytes { get; private set; }

        public void Load(HandlerContext context)
        {
        }

        public void Execute(IReadOnlyList<HandlerCall> batch, CancellationToken cancellation)
        {
            for (var i = 0; i < batch.Count; i++)
            {
                var request = batch[i].Request;
                if (request.Headers is [{ Value: var id }] && id != $"{request.Id}") throw new InvalidOperationException($"Request {request.Id} has the header {id}.");
            }

            LastThread = Thread.CurrentThread.Name;
            AllocatedBytes = GC.GetAllocatedBytesForCurrentThread();
            if (Takes > TimeSpan.Zero) Time.Advance(Takes);
        }

        public void Dispose()
        {
        }
    }

    /// <summary>Reads numbers as the stock handler does, but holds on to one request while it decodes it.</summary>
    private sealed class HeldTensorHandler(string held) : IModelHandler
    {
        private readonly TensorHandler _tensors = new();

        public ManualResetEventSlim IsHolding { get; } = new();

        public ManualResetEventSlim Go { get; } = new();

        public void Load(HandlerContext context) => _tensors.Load(context);

        public void Preprocess(HandlerRequest request, InputRow inputs)
        {
            if (Encoding.UTF8.GetString(request.Input.Data.Span) == held)
            {
                IsHolding.Set();
                Go.Wait(TimeSpan.FromSeconds(120));
            }

            _tensors.Preprocess(request, inputs);
        }

        public void Postprocess(HandlerRequest request, OutputRow outputs, HandlerResponse response) => _tensors.Postprocess(request, outputs, response);

        public void Dispose()
        {
            _tensors.Dispose();
            IsHolding.Dispose();
            Go.Dispose();
        }
    }

    /// <summary>Its only batch finds the device lost.</summary>
    private sealed class LostDeviceWork : StubWork, IBatchRunner
    {
        public override bool Decodes => false;

        public override int MaxBatchRows => 8;

        public override IBatchRunner CreateRunner() => this;

        public void WarmUp()
        {
        }

        public void Execute(Batch batch)
        {
            batch.DeviceLoss = new InternalServerException("CUDA failure 700");
            foreach (var request in batch.Requests) request.Call.Fail(batch.DeviceLoss);
        }
    }

    /// <summary>A model that answers its input, numbers of 64 bits, behind a handler.</summary>
    private sealed class IdentityWork : IDisposable
    {
        private readonly HandlerModel _folder = new();
        private readonly SessionPlan _plan = SessionPlan.Create("test", new ModelConfiguration(), DeviceType.Cpu, 0, 1);

        public IdentityWork(IModelHandler handler)
        {
            SmallModels.Identity(_folder.File("model.onnx"), DataType.Int64, "batch", "n");
            var model = OnnxModel.Load(_folder.File("model.onnx"), _plan);
            handler.Load(new HandlerContext { ModelName = "test", ModelVersion = "1", ModelFolder = "", Configuration = new ModelConfiguration(), Signature = model.Signature, Logger = NullLogger.Instance });
            Work = new OnnxWork(handler, model, new ModelConfiguration { BatchSize = 8 }, NullLogger.Instance);
        }

        public OnnxWork Work { get; }

        public void Dispose()
        {
            Work.Dispose();
            _plan.Dispose();
            _folder.Dispose();
        }
    }

    private sealed class RunningPipeline : IDisposable
    {
        private readonly Socket _test;
        private readonly Socket _worker;
        private readonly FrameReader _reader;
        private readonly FrameReader _workerReader;
        private readonly FrameSender _sender;
        private readonly FrameSender _workerSender;
        private readonly WorkerPipeline _pipeline;
        private readonly Thread[] _threads;
        private readonly SharedBodies? _bodies = SharedBodies.TryCreate(1 << 20);
        private readonly SharedBodyHolds? _holds;
        private DeviceLostException? _deviceLoss;

        public RunningPipeline(RecordingHandler handler, bool mayRunOnReader)
            : this(new HandlerWork(handler, 8), handler.Time, mayRunOnReader) => Handler = handler;

        public RunningPipeline(IModelWork work, TimeProvider time, bool mayRunOnReader)
        {
            (_test, _worker) = Connect();
            (_reader, _workerReader) = (new FrameReader(_test), new FrameReader(_worker));
            (_sender, _workerSender) = (new FrameSender(_test, "test"), new FrameSender(_worker, "worker"));
            _pipeline = new WorkerPipeline(work, 1, mayRunOnReader, _workerSender, time);
            _pipeline.Start(decodeThreads: 1);
            var intake = new FrameIntake(_workerReader, _workerSender, time);
            if (_bodies is not null)
            {
                _bodies.Use();
                _holds = new SharedBodyHolds(_bodies);
            }

            intake.Serve(_pipeline, _bodies is null ? null : MappedMemory.MapToRead(_bodies.Path, _bodies.Length).Memory);
            _threads = [Start("reader", () => intake.Run()), Start("device", () => RunDevice(work.CreateRunner()))];
        }

        public RecordingHandler Handler { get; } = new();

        public bool RunsOnReader => _pipeline.Pending.RunsOnReader;

        /// <summary>Waits until the device thread has ended because its device is lost.</summary>
        public DeviceLostException WaitForDeviceLoss()
        {
            Assert.True(_threads[1].Join(TimeSpan.FromSeconds(30)), "the device thread goes on");
            return _deviceLoss!;
        }

        /// <summary>Bytes of bodies that the worker may be reading where they were put.</summary>
        public int BodyMemoryInUse => _bodies?.InUse ?? 0;

        /// <param name="id">Its id.</param>
        /// <param name="body">Its body.</param>
        /// <param name="more">Whether it announces a successor.</param>
        /// <param name="isShared">Whether the worker reads it where it lies.</param>
        /// <returns>Whether it does.</returns>
        public bool Run(ulong id, string body = "body", bool more = false, bool isShared = false)
        {
            var payload = RequestPayload.Rent(64, isShared ? _bodies?.TryTake(SharedBodies.LeastBytes) : null);
            if (isShared) payload.AddHeader("x-id", $"{id}");
            var length = (int)Encoding.UTF8.GetBytes(body, payload);
            payload.AddPart("body", null, 0, length);
            isShared = payload.Shared is { } shared && _holds!.TryHold(id, shared);
            RunFrame.Enqueue(_sender, id, more, -1, 1, 0, payload, isShared);
            payload.Release();
            return isShared;
        }

        public void RunTensor(ulong id, long value)
        {
            var payload = RequestPayload.Rent(sizeof(long));
            payload.CarriesTensors = true;
            BitConverter.TryWriteBytes(payload.GetSpan(sizeof(long)), value);
            payload.Advance(sizeof(long));
            payload.AddTensor("x", TensorElement.Int64, [1, 1], 0, sizeof(long));
            RunFrame.Enqueue(_sender, id, more: false, -1, 1, 0, payload);
            payload.Release();
        }

        public void Send(FrameType type, ulong id, ReadOnlySpan<byte> body = default) => _sender.Enqueue(type, 0, id, body);

        public void Flush() => _sender.Flush(onThisThread: true);

        /// <returns>Rows of the batch.</returns>
        public uint ReadOutput()
        {
            while (true)
            {
                while (_reader.TryRead())
                {
                    if (_reader.Header.Type == FrameType.Output) return OutputFrame.Parse(_reader.Body).Times.BatchRows;
                }

                Assert.True(_reader.Receive());
            }
        }

        public (FrameType Type, ulong Id, ulong[] Ids) Read(Action<ulong, int, string> check, params FrameType[] types)
        {
            while (true)
            {
                while (_reader.TryRead())
                {
                    var header = _reader.Header;
                    if (header.Type == FrameType.Output)
                    {
                        var output = OutputFrame.Parse(_reader.Body);
                        check(header.Id, output.Status, Encoding.UTF8.GetString(output.Body));
                    }

                    if (header.Type == FrameType.Freed) _holds!.Release(header.Id);
                    if (types.Contains(header.Type)) return (header.Type, header.Id, header.Type == FrameType.Returned ? IdListFrame.Parse(_reader.Body).ToArray() : []);
                }

                Assert.True(_reader.Receive());
            }
        }

        public void Dispose()
        {
            _test.Shutdown(SocketShutdown.Both);
            _pipeline.Close();
            foreach (var thread in _threads) Assert.True(thread.Join(TimeSpan.FromSeconds(30)), $"{thread.Name} does not end");
            _sender.Dispose();
            _workerSender.Dispose();
            _reader.Dispose();
            _workerReader.Dispose();
            _test.Dispose();
            _worker.Dispose();
        }

        private void RunDevice(IBatchRunner runner)
        {
            try
            {
                _pipeline.RunFirstDevice(runner);
            }
            catch (DeviceLostException e)
            {
                _deviceLoss = e;
            }
        }

        private static Thread Start(string name, Action run)
        {
            var thread = new Thread(() => run()) { IsBackground = true, Name = name };
            thread.Start();
            return thread;
        }

        private static (Socket Test, Socket Worker) Connect()
        {
            var path = Path.Combine(Path.GetTempPath(), $"serve-{Guid.NewGuid():N}.sock");
            using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            listener.Bind(new UnixDomainSocketEndPoint(path));
            listener.Listen(1);
            var worker = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            worker.Connect(new UnixDomainSocketEndPoint(path));
            var test = listener.Accept();
            test.ReceiveTimeout = 60_000;
            File.Delete(path);
            return (test, worker);
        }
    }
}
