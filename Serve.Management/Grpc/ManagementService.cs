using System.Globalization;
using System.Text;
using System.Text.Json.Serialization.Metadata;
using Grpc.Core;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Management.Http;
using Serve.Management.Rest;

namespace Serve.Management.Grpc;

/// <summary>TorchServe's management API over gRPC: the operations of the REST API, with a message's fields as parameters.</summary>
/// <param name="registry">What is managed.</param>
/// <param name="enableModelApi">Whether models may be registered and unregistered.</param>
internal sealed class ManagementService(ModelRegistry registry, bool enableModelApi) : ManagementAPIsService.ManagementAPIsServiceBase
{
    private readonly DescribeModel _describe = new(registry);
    private readonly ListModels _list = new(registry);
    private readonly RegisterModel _register = new(registry, enableModelApi);
    private readonly ScaleWorkers _scale = new(registry);
    private readonly SetDefaultVersion _setDefault = new(registry);
    private readonly UnregisterModel _unregister = new(registry, enableModelApi);

    public override async Task<ManagementResponse> DescribeModel(DescribeModelRequest request, ServerCallContext context) =>
        Json(await _describe.DescribeAsync(Name(request.ModelName), Given(request.ModelVersion), request.Customized, context.CancellationToken), ManagementJson.Default.ListVersionBody);

    public override Task<ManagementResponse> ListModels(ListModelsRequest request, ServerCallContext context)
    {
        var parameters = RequestParameters.FromFields(("limit", Given(request.Limit)), ("next_page_token", Given(request.NextPageToken)));
        return Task.FromResult(Json(_list.List(parameters), ManagementJson.Default.ModelList));
    }

    public override async Task<ManagementResponse> RegisterModel(RegisterModelRequest request, ServerCallContext context)
    {
        var parameters = RequestParameters.FromFields(
            ("url", Given(request.Url)),
            ("model_name", Given(request.ModelName)),
            ("handler", Given(request.Handler)),
            ("runtime", Given(request.Runtime)),
            ("batch_size", Given(request.BatchSize)),
            ("max_batch_delay", Given(request.MaxBatchDelay)),
            ("initial_workers", Given(request.InitialWorkers)),
            ("response_timeout", Given(request.ResponseTimeout)),
            ("synchronous", request.Synchronous ? "true" : "false"));
        return Sentence((await _register.RunAsync(parameters, context.CancellationToken)).Text);
    }

    public override async Task<ManagementResponse> ScaleWorker(ScaleWorkerRequest request, ServerCallContext context)
    {
        var parameters = RequestParameters.FromFields(
            ("min_worker", request.HasMinWorker ? Text(request.MinWorker) : null),
            ("max_worker", request.HasMaxWorker ? Text(request.MaxWorker) : null),
            ("synchronous", request.Synchronous ? "true" : "false"));
        return Sentence((await _scale.RunAsync(Name(request.ModelName), Given(request.ModelVersion), parameters, context.CancellationToken)).Text);
    }

    public override async Task<ManagementResponse> SetDefault(SetDefaultRequest request, ServerCallContext context)
    {
        var version = Given(request.ModelVersion) ?? throw new BadRequestException("Parameter model_version is required.");
        return Sentence(await _setDefault.RunAsync(Name(request.ModelName), version));
    }

    public override async Task<ManagementResponse> UnregisterModel(UnregisterModelRequest request, ServerCallContext context) =>
        Sentence(await _unregister.RunAsync(Name(request.ModelName), Given(request.ModelVersion), context.CancellationToken));

    private static string Name(string name) => Given(name) ?? throw new BadRequestException("Parameter model_name is required.");

    // These fields do not tell what was left out from an empty text or a 0.
    private static string? Given(string text) => text.Length == 0 ? null : text;

    private static string? Given(int number) => number == 0 ? null : Text(number);

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static ManagementResponse Json<T>(T value, JsonTypeInfo<T> type) => Sentence(Encoding.UTF8.GetString(PrettyJson.Encode(value, type).Span));

    private static ManagementResponse Sentence(string text) => new() { Msg = text };
}
