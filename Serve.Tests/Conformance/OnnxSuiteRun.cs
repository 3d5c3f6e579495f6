using System.Net;
using Grpc.Core;
using Grpc.Net.Client;
using Serve.Core.Handlers;
using Serve.Core.Tensors;
using Serve.Frontend.OpenInference.Messages;
using Serve.Tests.EndToEnd;
using Serve.Tests.EndToEnd.OpenInference;
using Serve.Tests.Worker;

namespace Serve.Tests.Conformance;

/// <summary>Registers models of the suite, calls each by the Open Inference Protocol, and unregisters it.</summary>
internal sealed class OnnxSuiteRun(ServerFixture server) : IDisposable
{
    /// <summary>Requests that are under way together where the model batches: strangers to each other.</summary>
    private const int Strangers = 4;

    private const int BatchSize = 16;

    private readonly InferClient _rest = new(server);
    private readonly GrpcChannel _channel = GrpcChannel.ForAddress(server.GrpcInference);

    public void Dispose() => _channel.Dispose();

    /// <summary>What becomes of a model.</summary>
    /// <param name="test">The model.</param>
    /// <param name="byEveryProtocol">Whether it is called over gRPC and in JSON too.</param>
    public async Task<OnnxSuiteResult> RunAsync(OnnxTestCase test, bool byEveryProtocol)
    {
        var folder = Directory.CreateDirectory(Path.Combine(server.ModelStore, test.Model)).FullName;
        File.Copy(test.ModelFile, Path.Combine(folder, "model.onnx"));

        // A thousand models on two cores: no threads that they do not need.
        await File.WriteAllTextAsync(Path.Combine(folder, "model-config.yaml"), $"batchSize: {BatchSize}\ninstances: 1\nexecution:\n  intraOpThreads: 1\n");
        try
        {
            var registered = await server.RegisterAsync(test.Model);
            if (registered.Status != HttpStatusCode.OK) return Refused(test, registered);
            var batches = (await server.DescribeAsync(test.Model)).Signature!.Batching == RowBatching.Dynamic;
            return Judge(test, await FirstFaultAsync(test, batches, byEveryProtocol)) with { Batches = batches };
        }
        catch (NotSupportedException e)
        {
            return new OnnxSuiteResult(OnnxSuiteOutcome.Wrong, e.Message);
        }
        finally
        {
            await server.ManageAsync(HttpMethod.Delete, $"/models/{test.Model}");
            Directory.Delete(folder, recursive: true);
        }
    }

    private static OnnxSuiteResult Refused(OnnxTestCase test, Answer answer)
    {
        // TorchServe's status for it, and its words.
        if (answer.Status != HttpStatusCode.InternalServerError || !answer.Error.Message.StartsWith("Failed to start workers for model", StringComparison.Ordinal)) return new OnnxSuiteResult(OnnxSuiteOutcome.Wrong, $"{answer.Status} {answer.Text}");
        return new OnnxSuiteResult(OnnxSuiteKnowledge.NeedsLocale(test) ? OnnxSuiteOutcome.NeedsLocale : OnnxSuiteOutcome.Refused, answer.Error.Message);
    }

    private static OnnxSuiteResult Judge(OnnxTestCase test, string? fault)
    {
        if (OnnxSuiteKnowledge.Difference(test) is { } difference)
        {
            return fault is null ? new OnnxSuiteResult(OnnxSuiteOutcome.Wrong, "it answers as the suite says, although it is among the known differences") : new OnnxSuiteResult(OnnxSuiteOutcome.Differs, difference);
        }

        if (fault is not null) return new OnnxSuiteResult(OnnxSuiteOutcome.Wrong, fault);
        if (OnnxSuiteKnowledge.NeedsLocale(test)) return new OnnxSuiteResult(OnnxSuiteOutcome.NeedsLocale);
        return new OnnxSuiteResult(OnnxSuiteKnowledge.IsRandom(test) ? OnnxSuiteOutcome.Random : OnnxSuiteOutcome.Answers);
    }

    private async Task<string?> FirstFaultAsync(OnnxTestCase test, bool batches, bool byEveryProtocol)
    {
        var isRandom = OnnxSuiteKnowledge.IsRandom(test);
        foreach (var (inputs, expected) in test.ReadData())
        {
            WireTensor[] sent = [.. inputs.Select(input => Wire(input.Tensor))];
            List<Task<IReadOnlyList<WireTensor>>> calls = [.. Enumerable.Range(0, batches ? Strangers : 1).Select(_ => RestAsync(test, sent, Form.Binary))];
            if (byEveryProtocol)
            {
                calls.Add(GrpcAsync(test, sent));
                if (inputs.Concat(expected).All(tensor => tensor.FitsJson)) calls.Add(RestAsync(test, sent, Form.Json));
            }

            IReadOnlyList<WireTensor>[] answers;
            try
            {
                answers = await Task.WhenAll(calls);
            }
            catch (Exception e) when (e is InferenceFailedException or RpcException)
            {
                return e.Message;
            }

            foreach (var answer in answers)
            {
                foreach (var output in expected)
                {
                    var own = answer.Where(tensor => tensor.Name == output.Tensor.Name).Select(Tensor).FirstOrDefault();
                    if ((isRandom ? output.KindFault(own) : output.Fault(own)) is { } fault) return fault;
                }
            }
        }

        return null;
    }

    private async Task<IReadOnlyList<WireTensor>> RestAsync(OnnxTestCase test, WireTensor[] inputs, Form form)
    {
        var result = await _rest.InferAsync(test.Model, inputs, form);
        return result.Answer.Status == HttpStatusCode.OK ? result.Outputs : throw new InferenceFailedException($"{form}: {(int)result.Answer.Status} {result.Answer.Text}");
    }

    private async Task<IReadOnlyList<WireTensor>> GrpcAsync(OnnxTestCase test, WireTensor[] inputs) =>
        InferServer.Outputs(await new GRPCInferenceService.GRPCInferenceServiceClient(_channel).ModelInferAsync(InferServer.Request(test.Model, inputs)));

    private static WireTensor Wire(TestTensor tensor) => new(tensor.Name, tensor.Element.Datatype(), tensor.Shape, tensor.Data);

    private static TestTensor Tensor(WireTensor tensor) =>
        new(tensor.Name, Datatypes.TryParse(tensor.Datatype, out var element) ? element : throw new NotSupportedException(tensor.Datatype), tensor.Shape, tensor.Data);
}

/// <summary>A request was answered with an error.</summary>
/// <param name="message">Status and message.</param>
internal sealed class InferenceFailedException(string message) : Exception(message);

/// <summary>What became of a model of the suite.</summary>
/// <param name="Outcome">In a word.</param>
/// <param name="Detail">Why it was refused, or how it differs, or what was wrong.</param>
internal sealed record OnnxSuiteResult(OnnxSuiteOutcome Outcome, string Detail = "")
{
    /// <summary>Whether requests were put together.</summary>
    public bool Batches { get; init; }
}

internal enum OnnxSuiteOutcome
{
    /// <summary>It answers as the suite says.</summary>
    Answers,

    /// <summary>It draws random numbers: shapes and datatypes are as the suite says.</summary>
    Random,

    /// <summary>ONNX Runtime is known to give other numbers than this version of the suite.</summary>
    Differs,

    /// <summary>It answers as the suite says where the system has the locale that it names, and is refused elsewhere.</summary>
    NeedsLocale,

    /// <summary>It is refused at load.</summary>
    Refused,

    /// <summary>None of these.</summary>
    Wrong,
}
