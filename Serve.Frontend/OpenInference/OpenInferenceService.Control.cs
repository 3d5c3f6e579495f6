using Grpc.Core;
using Serve.Frontend.OpenInference.Messages;

namespace Serve.Frontend.OpenInference;

/// <summary>The methods that run no model.</summary>
internal sealed partial class OpenInferenceService
{
    public override Task<ServerLiveResponse> ServerLive(ServerLiveRequest request, ServerCallContext context) =>
        Task.FromResult(new ServerLiveResponse { Live = true });

    public override Task<ServerReadyResponse> ServerReady(ServerReadyRequest request, ServerCallContext context) =>
        Task.FromResult(new ServerReadyResponse { Ready = control.Health.IsReady });

    public override Task<ModelReadyResponse> ModelReady(ModelReadyRequest request, ServerCallContext context) =>
        Task.FromResult(new ModelReadyResponse { Ready = control.Health.IsModelReady(request.Name, Given(request.Version)) });

    public override Task<ServerMetadataResponse> ServerMetadata(ServerMetadataRequest request, ServerCallContext context) =>
        Task.FromResult(control.Metadata.OfServer());

    public override Task<ModelMetadataResponse> ModelMetadata(ModelMetadataRequest request, ServerCallContext context) =>
        Task.FromResult(control.Metadata.OfModel(request.Name, Given(request.Version)));

    public override Task<ModelConfigResponse> ModelConfig(ModelConfigRequest request, ServerCallContext context) =>
        Task.FromResult(new ModelConfigResponse { Config = control.Configurations.Of(request.Name, Given(request.Version)) });

    public override Task<ModelStatisticsResponse> ModelStatistics(ModelStatisticsRequest request, ServerCallContext context) =>
        Task.FromResult(control.Statistics.Of(Given(request.Name), Given(request.Version)));

    public override Task<LogSettingsResponse> LogSettings(LogSettingsRequest request, ServerCallContext context) =>
        Task.FromResult(control.Log.Change(request.Settings));

    public override Task<TraceSettingResponse> TraceSetting(TraceSettingRequest request, ServerCallContext context) =>
        Task.FromResult(control.Trace.Change(Given(request.ModelName), request.Settings.ToDictionary(setting => setting.Key, setting => (IReadOnlyList<string>)setting.Value.Value)));

    // A field of a message does not tell an empty text from one that was left out.
    private static string? Given(string text) => text.Length == 0 ? null : text;
}
