using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Serve.Benchmarks.NoOp;
using Serve.Benchmarks.Processes;
using Serve.Benchmarks.Reporting;
using Serve.Frontend.Grpc;

namespace Serve.Benchmarks.Scenarios;

/// <summary>How long a handler goes on working after its client has left: from the client's close to the handler's token.</summary>
internal sealed class CancelScenario : IScenario
{
    private const string Stream = "stream";
    private const string Whole = "whole";
    private const int LeastLeaves = 60;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Working = TimeSpan.FromMilliseconds(5);

    public string Name => "cancel";

    public string Title => "A client leaves: time until the handler's token fires";

    public void Run(Repository repository, BenchmarkSettings settings, Report report)
    {
        using var reports = new Reports();
        using var store = TemporaryStore.WithLeaving((Stream, $"handlerOptions: {{report: {reports.Path}, streams: \"true\"}}"), (Whole, $"handlerOptions: {{report: {reports.Path}}}"));
        using var serve = ServeProcess.StartAndListen(repository.Server, store.Path, settings.FastPath);
        using var channel = GrpcChannel.ForAddress($"http://{serve.GrpcInference}");
        var grpc = new InferenceAPIsService.InferenceAPIsServiceClient(channel);
        foreach (var model in (string[])[Stream, Whole]) serve.WaitForAnswer($"/predictions/{model}", "application/octet-stream", [LeavingHandler.AnswerAtOnce]);
        reports.Accept(2);

        (string Name, Func<TimeSpan> Leave)[] ways =
        [
            ("REST stream, connection closed", () => LeaveConnection(serve, reports, Stream)),
            ("REST, running batch, connection closed", () => LeaveConnection(serve, reports, Whole)),
            ("gRPC stream, call cancelled", () => LeaveStream(grpc, reports)),
            ("gRPC, running batch, call cancelled", () => LeaveCall(grpc, reports)),
        ];
        foreach (var (_, leave) in ways) leave(); // warm

        var times = ways.Select(_ => new List<double>()).ToArray();
        var each = (LeastLeaves + settings.Rounds - 1) / settings.Rounds;
        foreach (var _ in settings.EachRound())
        {
            for (var i = 0; i < ways.Length; i++)
            {
                for (var leave = 0; leave < each; leave++) times[i].Add(ways[i].Leave().TotalMilliseconds);
            }
        }

        for (var i = 0; i < ways.Length; i++)
        {
            report.Add(Name, string.Create(CultureInfo.InvariantCulture, $"{ways[i].Name}, {times[i].Count} times"), "ms", Bar.None, times[i]);
            report.Add(Name, $"{ways[i].Name}, the longest", "ms", Bar.Below(100), [times[i].Max()]);
        }
    }

    private static TimeSpan LeaveConnection(ServeProcess serve, Reports reports, string model)
    {
        using var client = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = (int)Patience.TotalMilliseconds };
        client.Connect(serve.Inference);
        client.Send(Encoding.ASCII.GetBytes($"POST /predictions/{model} HTTP/1.1\r\nHost: bench\r\nContent-Length: 1\r\n\r\n1"));
        reports.ExpectBegin();
        if (model == Stream) ReadFirstPart(client);
        return reports.Leave(client.Close);
    }

    private static TimeSpan LeaveStream(InferenceAPIsService.InferenceAPIsServiceClient grpc, Reports reports)
    {
        using var call = grpc.StreamPredictions(Request(Stream));
        if (!call.ResponseStream.MoveNext().Wait(Patience)) throw new BenchmarkException("The stream's first part does not come.");
        reports.ExpectBegin();
        return reports.Leave(call.Dispose);
    }

    private static TimeSpan LeaveCall(InferenceAPIsService.InferenceAPIsServiceClient grpc, Reports reports)
    {
        using var call = grpc.PredictionsAsync(Request(Whole));
        reports.ExpectBegin();
        return reports.Leave(call.Dispose);
    }

    private static PredictionsRequest Request(string model) => new() { ModelName = model, Input = { ["data"] = ByteString.CopyFromUtf8("1") } };

    private static void ReadFirstPart(Socket client)
    {
        var bytes = new byte[4096];
        var length = 0;
        while (bytes.AsSpan(0, length).IndexOf(NoOpHandler.Answer) < 0)
        {
            var read = client.Receive(bytes.AsSpan(length));
            if (read == 0) throw new BenchmarkException("The stream ended before its first part.");
            length += read;
        }
    }

    /// <summary>Where the handlers tell what they see.</summary>
    private sealed class Reports : IDisposable
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("serve-bench-");
        private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        private readonly List<Socket> _workers = [];

        public Reports()
        {
            _listener.Bind(new UnixDomainSocketEndPoint(Path));
            _listener.Listen();
        }

        public string Path => System.IO.Path.Combine(_folder.FullName, "report");

        public void Accept(int workers)
        {
            while (_workers.Count < workers) _workers.Add(_listener.Accept());
        }

        public void ExpectBegin()
        {
            if (Next() != 0) throw new BenchmarkException("A handler reports an end where its begin is expected.");
        }

        /// <summary>Leaves.</summary>
        /// <returns>The time from just before until the handler saw it.</returns>
        public TimeSpan Leave(Action leave)
        {
            // In the middle of its work. (A handler whose batches take no time would get them on the thread that takes in cancellations.)
            Thread.Sleep(Working);
            var left = Stopwatch.GetTimestamp();
            leave();
            var seen = Next();
            return seen == long.MaxValue ? throw new BenchmarkException("The handler does not see that its client has left.") : Stopwatch.GetElapsedTime(left, seen);
        }

        public void Dispose()
        {
            foreach (var worker in _workers) worker.Dispose();
            _listener.Dispose();
            _folder.Delete(recursive: true);
        }

        private long Next()
        {
            var readable = new List<Socket>(_workers);
            Socket.Select(readable, null, null, Patience);
            if (readable.Count != 1) throw new BenchmarkException($"{readable.Count} handlers report where one is expected to.");
            Span<byte> bytes = stackalloc byte[8];
            return readable[0].Receive(bytes) == bytes.Length ? BinaryPrimitives.ReadInt64LittleEndian(bytes) : throw new BenchmarkException("A worker is gone.");
        }
    }
}
