using System.Net;
using Google.Protobuf;
using Grpc.Net.Client;
using Serve.Core.Onnx;
using Serve.Frontend.OpenInference.Messages;
using Serve.Tests.Worker;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;
using InputMessage = Serve.Frontend.OpenInference.Messages.ModelInferRequest.Types.InferInputTensor;

namespace Serve.Tests.EndToEnd.OpenInference;

/// <summary>
/// A server with the models of Triton's examples: <c>simple</c> and <c>simple_int8</c> (INPUT0, INPUT1 of [batch, 16] become
/// their sum and difference), <c>everything</c> (the identity of each datatype, of three dynamic dimensions, of a scalar and
/// of a list), <c>dynamic</c> (FP32, [batch, n]), <c>strings</c> (BYTES, [batch, n]), <c>half</c> (FP16), <c>fixed</c> and
/// <c>fixed_two</c> (FP32, [1, 3] without a batch, labels a, b, c, and one or two outputs), fashion-vit,
/// <c>repeat</c> (decoupled), <c>echo</c> (a handler that declares no tensors).
/// </summary>
public sealed class InferServer : IAsyncLifetime
{
    internal const int BatchSize = 8;

    internal static readonly IReadOnlyList<(string Datatype, DataType Onnx)> Types =
    [
        ("BOOL", DataType.Bool), ("UINT8", DataType.Uint8), ("UINT16", DataType.Uint16), ("UINT32", DataType.Uint32), ("UINT64", DataType.Uint64), ("INT8", DataType.Int8), ("INT16", DataType.Int16),
        ("INT32", DataType.Int32), ("INT64", DataType.Int64), ("FP16", DataType.Float16), ("BF16", DataType.Bfloat16), ("FP32", DataType.Float), ("FP64", DataType.Double), ("BYTES", DataType.String),
    ];

    private ServerFixture? _server;
    private GrpcChannel? _channel;

    internal ServerFixture Server => _server ?? throw new InvalidOperationException("The server has not been started.");

    internal InferClient Rest { get; private set; } = null!;

    internal GRPCInferenceService.GRPCInferenceServiceClient Grpc { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await HandlerServer.StartAsync(null, "--max-request-size", "16777216");
        await Task.WhenAll(
            AddAsync("simple", file => SmallModels.AddSubtract(file, DataType.Int32)),
            AddAsync("simple_int8", file => SmallModels.AddSubtract(file, DataType.Int8)),
            AddAsync("everything", Everything),
            AddAsync("dynamic", file => SmallModels.Identity(file, DataType.Float, "batch", "n")),
            AddAsync("strings", file => SmallModels.Identity(file, DataType.String, "batch", "n")),
            AddAsync("half", file => SmallModels.Identity(file, DataType.Float16, "batch", 2)),
            AddAsync("fixed", file => Fixed(file, "y")),
            AddAsync("fixed_two", file => Fixed(file, "y", "z")),
            RegisterAsync(_server.CopyModel("fashion-vit")),
            _server.ServeAsync("repeat", "RepeatInt32Handler", "batchSize: 8"),
            _server.ServeAsync("echo", "EchoHandler"));
        Rest = new InferClient(_server);
        _channel = GrpcChannel.ForAddress(_server.GrpcInference, new GrpcChannelOptions { MaxSendMessageSize = null, MaxReceiveMessageSize = null });
        Grpc = new GRPCInferenceService.GRPCInferenceServiceClient(_channel);
    }

    public async ValueTask DisposeAsync()
    {
        _channel?.Dispose();
        if (_server is not null) await _server.DisposeAsync();
    }

    /// <summary>A gRPC request with raw contents.</summary>
    internal static ModelInferRequest Request(string model, params IEnumerable<WireTensor> inputs)
    {
        var request = new ModelInferRequest { ModelName = model };
        foreach (var input in inputs)
        {
            request.Inputs.Add(new InputMessage { Name = input.Name, Datatype = input.Datatype, Shape = { input.Shape } });
            request.RawInputContents.Add(ByteString.CopyFrom(input.Data));
        }

        return request;
    }

    /// <summary>A gRPC answer's outputs.</summary>
    internal static IReadOnlyList<WireTensor> Outputs(ModelInferResponse response) =>
        [.. response.Outputs.Zip(response.RawOutputContents, (output, raw) => new WireTensor(output.Name, output.Datatype, [.. output.Shape], raw.ToByteArray()))];

    /// <summary>The inputs of <c>simple</c>.</summary>
    internal static WireTensor[] Simple(int rows = 1)
    {
        var numbers = Enumerable.Range(0, 16 * rows).ToArray();
        return [WireTensor.Of("INPUT0", "INT32", [rows, 16], numbers), WireTensor.Of("INPUT1", "INT32", [rows, 16], [.. numbers.Select(number => 2 * number)])];
    }

    private static void Everything(string file) => SmallModels.Write(file, graph =>
    {
        foreach (var (datatype, type) in Types)
        {
            OnnxDimension[] shape = [$"{datatype}_a", $"{datatype}_b", $"{datatype}_c"];
            graph.Output(graph.Node($"out_{datatype}", "Identity", [graph.Input($"in_{datatype}", type, shape)]), type, shape);
        }

        graph.Output(graph.Node("out_scalar", "Identity", [graph.Input("in_scalar", DataType.Int32)]), DataType.Int32);
        graph.Output(graph.Node("out_list", "Identity", [graph.Input("in_list", DataType.Float, "n")]), DataType.Float, "n");
    });

    private static void Fixed(string file, params string[] outputs)
    {
        SmallModels.Write(file, graph =>
        {
            var x = graph.Input("x", DataType.Float, 1, 3);
            foreach (var output in outputs) graph.Output(graph.Node(output, "Identity", [x]), DataType.Float, 1, 3);
        });
        File.WriteAllText(Path.Combine(Path.GetDirectoryName(file)!, "index_to_name.json"), """{"0": "a", "1": "b", "2": "c"}""");
    }

    private async Task AddAsync(string name, Action<string> write)
    {
        var folder = Directory.CreateDirectory(Path.Combine(Server.ModelStore, name, "1.0")).FullName;
        write(Path.Combine(folder, "model.onnx"));
        await File.WriteAllTextAsync(Path.Combine(folder, "model-config.yaml"), $"handler: tensor\nbatchSize: {BatchSize}\npriorityLevels: 3\nmaxQueueSize: 1000\n");
        await RegisterAsync(name);
    }

    private async Task RegisterAsync(string name)
    {
        var answer = await Server.RegisterAsync($"{name}/1.0");
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
    }
}

/// <summary>The classes that share one such server.</summary>
[CollectionDefinition(nameof(InferServer))]
public sealed class InferServerTests : ICollectionFixture<InferServer>;
