using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Serve.Core.Configuration;
using Serve.Core.Handlers;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Core.Protocol;
using Serve.Core.Scheduling;
using Serve.Core.Workers;
using Serve.Tests.Core.Protocol;
using Serve.Worker.Pipeline;

namespace Serve.Tests.Fuzzing;

/// <summary>
/// Whatever the other end of a worker's socket sends, it is understood or the connection is closed: no other exception, no
/// hang, no memory for what is only announced, and every request is answered once.
/// </summary>
public sealed class FrameFuzzTests
{
    // Far above what frames of some kilobytes take, far below what a length may announce.
    private const int MostAllocated = 16 << 20;

    [Fact]
    public void The_reader_believes_no_length()
    {
        var seeds = (byte[][])[.. FromFrontend(), .. FromWorker()];
        FuzzRun.Run(3000, random =>
        {
            var bytes = Mutator.Mutate(random, seeds[random.Next(seeds.Length)], seeds[random.Next(seeds.Length)], Words);
            using var sockets = Filled(bytes);
            using var reader = new FrameReader(sockets.Far);
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                do
                {
                    while (reader.TryRead()) Parse(reader);
                }
                while (reader.Receive());
            }
            catch (ProtocolException)
            {
                // As it should be.
            }

            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MostAllocated);
        });
    }

    [Fact]
    public void A_worker_understands_the_frontend_or_leaves()
    {
        var seeds = FromFrontend();
        FuzzRun.Run(600, random =>
        {
            using var sockets = Filled(Mutator.Mutate(random, seeds[random.Next(seeds.Length)], seeds[random.Next(seeds.Length)], Words));
            using var reader = new FrameReader(sockets.Far);
            using var sender = new FrameSender(sockets.Far, "worker");
            using var work = new HandlerWork(new TwoParts(), 4);
            var pipeline = new WorkerPipeline(work, 1, mayRunOnReader: false, sender, TimeProvider.System);
            pipeline.Start(decodeThreads: 1);
            var device = new Thread(() => pipeline.RunFirstDevice(work.CreateRunner())) { IsBackground = true };
            device.Start();
            var intake = new FrameIntake(reader, sender, TimeProvider.System);
            intake.Serve(pipeline);
            try
            {
                intake.Run();
            }
            catch (ProtocolException)
            {
                // As it should be.
            }
            finally
            {
                pipeline.Close();
                Assert.True(device.Join(TimeSpan.FromSeconds(30)), "The device thread does not end.");
                sockets.Far.Shutdown(SocketShutdown.Both);
            }
        });
    }

    [Fact]
    public void The_frontend_understands_a_worker_or_gives_it_up_and_answers_every_request()
    {
        using var metrics = new ModelMetrics("fuzzed", "1.0");
        var seeds = FromWorker();
        FuzzRun.Run(600, random =>
        {
            using var sockets = Filled(Mutator.Mutate(random, seeds[random.Next(seeds.Length)], seeds[random.Next(seeds.Length)], Words));
            using var scheduler = new InferenceScheduler("model", new ModelConfiguration { Handler = "test", BatchSize = 4 }, completeInline: true, TimeProvider.System, metrics, NullLogger.Instance);
            using var worker = new Owner(scheduler, sockets.Far, onSocketThread: random.Next(2) == 0);
            var requests = Enumerable.Range(0, 4).Select(_ => scheduler.Submit(RequestPayload.Rent(1), 0, TimeSpan.FromMinutes(1), isClients: false, CancellationToken.None).AsTask()).ToList();

            var reason = worker.Run();
            Assert.DoesNotContain("could not be handled", reason, StringComparison.Ordinal);
            scheduler.RemoveWorker(worker, WorkerLossReason.Stopped, out var failed);
            scheduler.FailLost(failed, WorkerLossReason.Stopped, reason);
            scheduler.Close(() => new InvalidOperationException("left over"));
            Assert.Equal(0, scheduler.PendingRequests);
            foreach (var request in requests) Assert.True(ReadToEnd(request).Wait(TimeSpan.FromSeconds(30)), "A request is not answered.");
        });
    }

    private static async Task ReadToEnd(Task<InferenceResponse> answer)
    {
        try
        {
            using var first = await answer;
            if (first.Parts is not { } parts) return;
            while (await parts.NextAsync() is { } part) part.Dispose();
        }
        catch (Exception e) when (e is Serve.Core.Errors.ServeException or InvalidOperationException)
        {
            // An error is an answer too.
        }
    }

    private static SocketPair Filled(byte[] bytes)
    {
        var sockets = new SocketPair();
        sockets.Near.Send(bytes);
        sockets.Near.Shutdown(SocketShutdown.Send);
        return sockets;
    }

    // As both sides do.
    private static void Parse(FrameReader reader)
    {
        switch (reader.Header.Type)
        {
            case FrameType.Run:
                var run = RunFrame.Parse(reader.Body, isShared: (reader.Header.Flags & FrameHeader.Shared) != 0);
                run.ReadHeaders([]);
                run.ReadParts([]);
                break;
            case FrameType.Output:
                OutputFrame.Parse(reader.Body).ReadHeaders();
                break;
            case FrameType.Begun or FrameType.Returned:
                IdListFrame.Parse(reader.Body);
                break;
            case FrameType.Taken:
                PartWindow.ReadTaken(reader.Body);
                break;
        }
    }

    private static byte[][] FromFrontend() =>
    [
        Capture(sender =>
        {
            for (ulong id = 1; id <= 6; id++) Run(sender, id, more: id % 3 == 0);
            sender.Enqueue(FrameType.Cancel, 0, 2, []);
            PartWindow.EnqueueTaken(sender, 1, 300);
            sender.Enqueue(FrameType.Recall, 0, 0, [2, 0, 0, 0]);
        }),
        Capture(sender =>
        {
            Run(sender, 7, more: true);
            sender.Enqueue((FrameType)13, 0, 0, []); // a type that nobody knows is skipped
            Run(sender, 8, more: false);
            sender.Enqueue(FrameType.Cancel, 0, 8, []);
            sender.Enqueue(FrameType.Stop, 0, 0, []);
        }),
    ];

    private static byte[][] FromWorker() =>
    [
        Capture(sender =>
        {
            IdListFrame.Enqueue(sender, FrameType.Begun, 1, [1, 2]);
            Output(sender, 1, isLast: false);
            Output(sender, 2, isLast: true);
            Output(sender, 1, isLast: false);
            Output(sender, 1, isLast: true);
            IdListFrame.Enqueue(sender, FrameType.Returned, 0, [3]);
            sender.Enqueue(FrameType.Grant, 0, 0, [4, 0, 0, 0]);
        }),
        Capture(sender =>
        {
            ProtocolJson.Enqueue(sender, FrameType.Hello, new HelloMessage(1, "token", 7, "fuzz"), ProtocolJson.Default.HelloMessage);
            ProtocolJson.Enqueue(sender, FrameType.Ready, new ReadyMessage(8, "cpu:0", "fuzz", WarmUp: [new(2, 100)]), ProtocolJson.Default.ReadyMessage);
            ProtocolJson.Enqueue(sender, FrameType.Gauge, new GaugeMessage(1, Stages: new StageMessage(5)), ProtocolJson.Default.GaugeMessage);
            ProtocolJson.Enqueue(sender, FrameType.LoadFailed, new LoadFailedMessage("InvalidModelException", "why"), ProtocolJson.Default.LoadFailedMessage);
            IdListFrame.Enqueue(sender, FrameType.Begun, 1, [1, 2, 3, 4]);
            var head = new byte[1024];
            var length = OutputFrame.WriteHead(head, 400, default, OutputFrame.ErrorContentType, []);
            sender.Enqueue(FrameType.Output, FrameHeader.Last, 3, head.AsSpan(0, length), """{"type": "BadRequestException", "message": "why"}"""u8);
            length = OutputFrame.WriteHead(head, 499, default, null, []);
            sender.Enqueue(FrameType.Output, FrameHeader.Last, 4, head.AsSpan(0, length));
        }),
    ];

    private static byte[][] Words { get; } =
    [
        .. from type in Enum.GetValues<FrameType>() from length in (int[])[0, 8, 40] select Header(length, type, 1),
        .. from length in (int[])[1, 16 << 10, 1 << 20, 1 << 30, FrameHeader.MaxLength] select Header(length, FrameType.Run, 3),
        .. from length in (int[])[1, 16 << 10, 1 << 20, 1 << 30, FrameHeader.MaxLength] select Header(length, FrameType.Output, 2),
        [0, 0], [0xFF, 0xFF], [0xFF, 0xFF, 0xFF, 0x7F], [200, 0], [144, 1], [243, 1], "application/vnd.serve.error+json"u8.ToArray(), "{}"u8.ToArray(), "null"u8.ToArray(), "[[[["u8.ToArray(),
    ];

    private static byte[] Header(int length, FrameType type, ulong id)
    {
        var bytes = new byte[FrameHeader.Size];
        new FrameHeader(length, type, (byte)(id % 2), id).Write(bytes);
        return bytes;
    }

    private static void Run(FrameSender sender, ulong id, bool more)
    {
        var payload = RequestPayload.Rent(64);
        payload.AddHeader("X-Fuzz", "value");
        var length = (int)Encoding.UTF8.GetBytes($"body {id}", payload);
        payload.AddPart("data", "text/plain", 0, length);
        payload.AddPart("more", null, 1, length - 1);
        RunFrame.Enqueue(sender, id, more, deadlineMicroseconds: 1_000_000, rows: 1, lane: 0, payload);
        payload.Release();
    }

    private static void Output(FrameSender sender, ulong id, bool isLast)
    {
        var head = new byte[1024];
        var length = OutputFrame.WriteHead(head, 200, new OutputTimes(2, 1, 1, 1, 1, 1), "text/plain", [new("X-Fuzz", "value")]);
        sender.Enqueue(FrameType.Output, isLast ? FrameHeader.Last : (byte)0, id, head.AsSpan(0, length), "a part of an answer"u8);
    }

    private static byte[] Capture(Action<FrameSender> send)
    {
        using var sockets = new SocketPair();
        using var sender = new FrameSender(sockets.Near, "capture");
        send(sender);
        sender.FlushAndWait();
        var bytes = new byte[64 << 10];
        return bytes[..sockets.Far.Receive(bytes)];
    }

    /// <summary>Answers each call with two parts.</summary>
    private sealed class TwoParts : IBatchHandler
    {
        public bool Streams => true;

        public void Load(HandlerContext context)
        {
        }

        public void Execute(IReadOnlyList<HandlerCall> batch, CancellationToken cancellation)
        {
            foreach (var call in batch)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(call.Response.Body.GetSpan(8), call.Request.Id);
                call.Response.Body.Advance(8);
                call.SendPart();
                call.End();
            }
        }

        public void Dispose()
        {
        }
    }

    /// <summary>A worker as the frontend has it, but for the process.</summary>
    private sealed class Owner : IWorkerLinkOwner, IRequestTarget, IDisposable
    {
        private readonly InferenceScheduler _scheduler;
        private readonly WorkerLink _link;
        private readonly List<Completion> _completions = [];
        private readonly TaskCompletionSource<string> _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Owner(InferenceScheduler scheduler, Socket socket, bool onSocketThread)
        {
            _scheduler = scheduler;
            _link = new WorkerLink(socket, this, TimeProvider.System, "fuzz", onSocketThread);
            scheduler.AddWorker(this, 8, null);
        }

        public string Id => "fuzz";

        public FrameSender Sender => _link.Sender;

        public SharedBodyHolds? Holds => null;

        public WorkerSlot? Slot { get; set; }

        public bool IsTouched { get; set; }

        public bool WasIdle { get; set; }

        public bool HasServed { get; set; }

        /// <summary>Reads until the connection ends.</summary>
        /// <returns>Why it did.</returns>
        public string Run()
        {
            _link.Start();
            return _closed.Task.Wait(TimeSpan.FromSeconds(30)) ? _closed.Task.Result : throw new TimeoutException("The link does not end.");
        }

        public void Flush(bool onThisThread) => Sender.Flush(onThisThread);

        public void Hello(HelloMessage message)
        {
        }

        public void Ready(ReadyMessage message)
        {
        }

        public void LoadFailed(LoadFailedMessage message)
        {
        }

        public void Gauge(GaugeMessage message)
        {
        }

        public bool Apply(List<LinkEvent> events, List<ulong> ids) => _scheduler.Apply(this, events, ids, _completions);

        public void Closed(string reason) => _closed.TrySetResult(reason);

        public void Dispose() => _link.Dispose();
    }
}
