using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Google.Protobuf;
using Serve.Benchmarks.Load;
using Serve.Benchmarks.Peers;
using Serve.Benchmarks.Processes;
using Serve.Benchmarks.Reporting;
using Serve.Frontend.OpenInference.Messages;
using Serve.LoadGenerator.Http;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Benchmarks.Scenarios;

/// <summary>
/// What tensors cost that come by the Open Inference Protocol: a picture of 1×3×224×224 FP32 as JSON, as binary REST and as
/// raw gRPC, into a model that does next to nothing with it; and 8 MB in and out, against a Kestrel that echoes.
/// </summary>
internal sealed class OipScenario : IScenario
{
    private const string Pixels = "pixels";
    private const string Identity = "identity";
    private const int Clients = 4;
    private const int LargeClients = 2;
    private const int LargeBytes = 8_000_000;

    public string Name => "oip";

    public string Title => "Open Inference Protocol: FP32 pictures as JSON, binary and over gRPC; 8 MB in and out against an echo";

    public void Run(Repository repository, BenchmarkSettings settings, Report report)
    {
        using var store = new TemporaryStore();
        store.AddGraph(Pixels, "batchSize: 8\nmaxQueueSize: 100", graph => graph.Output(graph.Node("y", "GlobalAveragePool", [graph.Input("x", DataType.Float, "batch", 3, 224, 224)]), DataType.Float, "batch", 3, 1, 1));
        store.AddGraph(Identity, "batchSize: 1\nmaxQueueSize: 100", graph => graph.Output(graph.Node("y", "Identity", [graph.Input("x", DataType.Float, "batch", "n")]), DataType.Float, "batch", "n"));
        using var serve = ServeProcess.StartAndListen(repository.Server, store.Path, settings.FastPath);
        using var echo = new BareEcho();

        var picture = new float[3 * 224 * 224];
        var random = new Random(1);
        for (var i = 0; i < picture.Length; i++) picture[i] = (random.Next(256) / 255f - 0.45f) / 0.225f;
        var (json, binary, large) = (AsJson(picture), AsBinary(serve, Pixels, [1, 3, 224, 224], MemoryMarshal.AsBytes(picture.AsSpan())), AsBinary(serve, Identity, [1, LargeBytes / 4], new byte[LargeBytes]));
        foreach (var model in (string[])[Pixels, Identity]) serve.WaitForAnswer($"/v2/models/{model}/infer", "application/json", model == Pixels ? json : Encoding.UTF8.GetBytes("""{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":[1]}]}"""));
        var worker = serve.WorkerPids(Pixels).Single();

        using var onJson = LoadClients.InClosedLoop(serve.Inference, Clients, RequestBytes.Post(UrlOf(serve, Pixels), "application/json", json));
        using var onBinary = LoadClients.InClosedLoop(serve.Inference, Clients, binary);
        using var onGrpc = new GrpcClients(serve.GrpcInference, Clients, "/inference.GRPCInferenceService/ModelInfer", AsMessage(picture));
        using var onIdentity = LoadClients.InClosedLoop(serve.Inference, LargeClients, large);
        using var onEcho = LoadClients.InClosedLoop(echo.Address, LargeClients, RequestBytes.Post(new Uri($"http://{echo.Address}/"), "application/octet-stream", new byte[LargeBytes]));
        onGrpc.WarmUp();
        foreach (var clients in (LoadClients[])[onJson, onBinary, onIdentity, onEcho]) clients.WarmUp();

        var rounds = new List<Round>();
        foreach (var _ in settings.EachRound())
        {
            rounds.Add(new Round(
                Cost(() => onJson.Run(settings.Duration), serve.Pid, worker),
                Cost(() => onBinary.Run(settings.Duration), serve.Pid, worker),
                GrpcCost(onGrpc, settings.Duration, serve.Pid, worker),
                onIdentity.Run(settings.Duration),
                onEcho.Run(settings.Duration)));
        }

        void Figure(string name, string unit, Bar bar, Func<Round, double> value) => report.Add(Name, name, unit, bar, [.. rounds.Select(value)]);
        Figure("server's CPU, JSON over binary", "", Bar.AtLeast(10), round => round.Json.Server / round.Binary.Server);
        Figure("server's CPU, gRPC over binary", "", Bar.Below(1.3), round => round.Grpc.Server / round.Binary.Server);
        Figure("8 MB: of 1.5 GB/s or of 0.6 of the echo, the better", "", Bar.AtLeast(1), round => Math.Max(GigabytesPerSecond(round.Identity) / 1.5, round.Identity.PerSecond / round.Echo.PerSecond / 0.6));
        Figure("JSON: CPU of frontend and worker", "µs/req", Bar.None, round => round.Json.Server);
        Figure("binary: CPU of frontend and worker", "µs/req", Bar.None, round => round.Binary.Server);
        Figure("binary: CPU of frontend", "µs/req", Bar.None, round => round.Binary.Frontend);
        Figure("gRPC: CPU of frontend and worker", "µs/req", Bar.None, round => round.Grpc.Server);
        Figure("gRPC: CPU of frontend", "µs/req", Bar.None, round => round.Grpc.Frontend);
        Figure("JSON", "req/s", Bar.None, round => round.Json.PerSecond);
        Figure("binary", "req/s", Bar.None, round => round.Binary.PerSecond);
        Figure("gRPC", "req/s", Bar.None, round => round.Grpc.PerSecond);
        Figure("8 MB, in and out", "GB/s", Bar.None, round => GigabytesPerSecond(round.Identity));
        Figure("8 MB, ratio to the echo", "", Bar.None, round => round.Identity.PerSecond / round.Echo.PerSecond);
        Figure("errors", "answers", Bar.Below(1), round => round.Json.Errors + round.Binary.Errors + round.Identity.Errors + round.Echo.Errors);
    }

    private static Costs Cost(Func<LoadResult> run, int frontend, int worker)
    {
        var meter = CpuMeter.Start(frontend, worker);
        var result = run();
        var used = meter.Stop();
        return new Costs(used[0].TotalMicroseconds / result.Answers, (used[0] + used[1]).TotalMicroseconds / result.Answers, result.PerSecond, result.Errors);
    }

    private static Costs GrpcCost(GrpcClients clients, TimeSpan duration, int frontend, int worker)
    {
        var meter = CpuMeter.Start(frontend, worker);
        var (answers, seconds) = clients.Run(duration);
        var used = meter.Stop();
        return new Costs(used[0].TotalMicroseconds / answers, (used[0] + used[1]).TotalMicroseconds / answers, answers / seconds, 0);
    }

    private static double GigabytesPerSecond(LoadResult result) => 2.0 * LargeBytes * result.PerSecond / 1e9;

    private static Uri UrlOf(ServeProcess serve, string model) => new($"http://{serve.Inference}/v2/models/{model}/infer");

    private static byte[] AsJson(float[] picture) =>
        Encoding.UTF8.GetBytes($$"""{"inputs":[{"name":"x","shape":[1,3,224,224],"datatype":"FP32","data":[{{string.Join(',', picture.Select(value => value.ToString("R", CultureInfo.InvariantCulture)))}}]}]}""");

    private static byte[] AsBinary(ServeProcess serve, string model, long[] shape, ReadOnlySpan<byte> tensor)
    {
        var json = Encoding.UTF8.GetBytes($$"""{"parameters":{"binary_data_output":true},"inputs":[{"name":"x","shape":[{{string.Join(',', shape)}}],"datatype":"FP32","parameters":{"binary_data_size":{{tensor.Length}} } }]}""");
        return RequestBytes.Post(UrlOf(serve, model), "application/octet-stream", [.. json, .. tensor], new KeyValuePair<string, string>("Inference-Header-Content-Length", json.Length.ToString(CultureInfo.InvariantCulture)));
    }

    private static byte[] AsMessage(float[] picture) => new ModelInferRequest
    {
        ModelName = Pixels,
        Inputs = { new ModelInferRequest.Types.InferInputTensor { Name = "x", Datatype = "FP32", Shape = { 1, 3, 224, 224 } } },
        RawInputContents = { ByteString.CopyFrom(MemoryMarshal.AsBytes(picture.AsSpan())) },
    }.ToByteArray();

    private sealed record Costs(double Frontend, double Server, double PerSecond, long Errors);

    private sealed record Round(Costs Json, Costs Binary, Costs Grpc, LoadResult Identity, LoadResult Echo);
}
