using System.Diagnostics;
using Grpc.Core;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Core.Protocol;
using Serve.Core.Tracing;
using Serve.Frontend.Grpc;
using Serve.Frontend.OpenInference.Messages;
using Serve.Frontend.OpenInference.SharedMemory;
using Serve.Frontend.Tracing;
using Serve.Management.Grpc;
using Serve.Management.Http;

namespace Serve.Frontend.OpenInference.Infer.Grpc;

/// <summary>One request over gRPC on its way: owns its payload until the model has it, and its answer until that is written.</summary>
/// <param name="call">The request as it was read.</param>
/// <param name="context">The call that it is part of.</param>
/// <param name="isOne">Whether it is one of several of the call: then it has a span of its own below the call's, where that is traced.</param>
internal sealed class TensorRun(TensorCall call, ServerCallContext context, bool isOne) : IDisposable
{
    private const string FinalResponse = "triton_final_response";

    private readonly long _started = Stopwatch.GetTimestamp();
    private readonly int _requestBytes = call.Payload.Body.Length;
    private RequestPayload? _payload = call.Payload;
    private TensorRequest _request = new() { Id = call.Message.Id };
    private ModelSignature? _signature;
    private InferenceResponse? _answer;
    private RegionUse? _regions;
    private readonly RequestTrace? _trace = ServerTracing.Of(context.GetHttpContext()) is { } ofCall ? isOne ? ofCall.Part("infer", Stopwatch.GetTimestamp()) : ofCall : null;
    private long _responseBytes;

    public TensorCall Call => call;

    /// <summary>Who answers; null until it is found.</summary>
    public ModelVersion? Target { get; set; }

    /// <summary>Whether the client wants to be told of the end by a response of its own.</summary>
    public bool WantsFinalResponse => _request.WantsFinalResponse;

    /// <summary>Checks the request and runs it.</summary>
    /// <param name="signature">What the version takes.</param>
    /// <param name="memory">Where tensors may be besides in the message.</param>
    /// <param name="maxRequestBytes">The most that the request may have with those.</param>
    public async ValueTask<InferenceResponse> InferAsync(ModelSignature signature, SharedMemoryRegions memory, long maxRequestBytes)
    {
        var target = Target!;
        _signature = signature;
        _request = GrpcRequest.Read(call, maxRequestBytes);
        var payload = call.Payload;
        _regions = memory.Use(_request, payload, maxRequestBytes);
        var rows = TensorRequestCheck.Check(_request, target, signature, payload.Body.Span, isJsonAnswered: false);
        payload.Follow(_trace);
        _request.Complete(payload);
        var options = _request.Options(target.Configuration.PriorityLevels, rows, context.GetHttpContext().Request.Headers).Within(context);
        target.Metrics.StageDone(RequestStage.Read, Stopwatch.GetElapsedTime(_started));
        _payload = null;
        payload.RequestId = CommonHeaders.IdOf(context.GetHttpContext());
        return _answer = await target.InferAsync(payload, options, context.CancellationToken);
    }

    /// <summary>The message for the whole answer, which the message takes over.</summary>
    /// <param name="isFinal">What a stream's response says of it; null: nothing.</param>
    public TensorMessage Whole(bool? isFinal)
    {
        var message = Part(_answer!, isFinal) with { Owner = _answer };
        _answer = null;
        return message;
    }

    /// <summary>The message for a part of the answer, which stays its owner's.</summary>
    public TensorMessage Part(InferenceResponse part, bool? isFinal, bool isFirst = true)
    {
        var tensors = AnswerTensors.Read(part, _request, Target!, _signature!, isFirst);
        _regions?.Write(tensors);
        _responseBytes += part.Body.Length;
        return Message(part.Headers, tensors, isFinal);
    }

    /// <summary>The message that says nothing but that no more comes.</summary>
    public TensorMessage Final() => Message([], [], isFinal: true);

    /// <summary>The message for an error.</summary>
    public TensorMessage Error(string text) => new(new ModelInferResponse { Id = call.Message.Id }, [], null) { Error = text };

    /// <summary>Counts it as answered.</summary>
    public T Answered<T>(T value)
    {
        Target!.Metrics.RequestAnswered(200, Stopwatch.GetElapsedTime(_started), _requestBytes, _responseBytes, _trace);
        if (isOne) _trace?.EndPart(200);
        return value;
    }

    /// <summary>Counts it as failed.</summary>
    /// <returns>What its client is told.</returns>
    public ServeException Failed(Exception e)
    {
        var error = GrpcStatus.From(e, context);
        Target?.Metrics.RequestAnswered(error.Status, Stopwatch.GetElapsedTime(_started), _requestBytes, _responseBytes, _trace);
        if (Target is { } target) _trace?.For(target.Name, target.Version);
        if (isOne) _trace?.EndPart(error.Status);
        return error;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _payload?.Release();
        _payload = null;
        _answer?.Dispose();
        _answer = null;
        _regions?.Dispose();
        _regions = null;
    }

    private TensorMessage Message(IReadOnlyList<KeyValuePair<string, string>> parameters, List<AnswerTensor> tensors, bool? isFinal)
    {
        var head = TensorMessage.HeadOf(_request, Target!.Name, Target.Version, parameters, tensors);
        if (isFinal is { } final) head.Parameters[FinalResponse] = new InferParameter { BoolParam = final };
        return new TensorMessage(head, tensors, null);
    }
}
