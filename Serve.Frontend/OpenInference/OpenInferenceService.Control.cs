using Grpc.Core;
using Serve.Core.Errors;
using Serve.Core.Models.Repository;
using Serve.Frontend.OpenInference.Control;
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

    public override Task<LogSettingsResponse> LogSettings(LogSettingsRequest request, ServerCallContext context)
    {
        if (request.Settings.Count > 0) ControlPlane.RequireSettings(control.AllowsSettingsOverGrpc);
        return Task.FromResult(control.Log.Change(request.Settings));
    }

    public override Task<TraceSettingResponse> TraceSetting(TraceSettingRequest request, ServerCallContext context)
    {
        if (request.Settings.Count > 0) ControlPlane.RequireSettings(control.AllowsSettingsOverGrpc);
        return Task.FromResult(control.Trace.Change(Given(request.ModelName), request.Settings.ToDictionary(setting => setting.Key, setting => (IReadOnlyList<string>)setting.Value.Value)));
    }

    public override Task<RepositoryIndexResponse> RepositoryIndex(RepositoryIndexRequest request, ServerCallContext context) =>
        Task.FromResult(control.Repository.Index(request.RepositoryName, request.Ready));

    public override async Task<RepositoryModelLoadResponse> RepositoryModelLoad(RepositoryModelLoadRequest request, ServerCallContext context)
    {
        string? config = null;
        List<ModelFileContent> files = [];
        foreach (var (name, value) in request.Parameters)
        {
            if (name == "config" && value.HasStringParam) config = value.StringParam;
            else if (RepositoryControl.FileOf(name) is { } path && value.HasBytesParam) files.Add(new ModelFileContent(path, value.BytesParam.Memory));
            else throw new BadRequestException($"unrecognized load parameter '{ShownText.Of(name)}'; there are config (a text) and file:VERSION/PATH (bytes)");
        }

        await control.Repository.LoadAsync(request.RepositoryName, request.ModelName, config, files, control.AllowsModelControlOverGrpc, context.CancellationToken);
        return new RepositoryModelLoadResponse();
    }

    public override async Task<RepositoryModelUnloadResponse> RepositoryModelUnload(RepositoryModelUnloadRequest request, ServerCallContext context)
    {
        foreach (var (name, value) in request.Parameters)
        {
            if (name != "unload_dependents" || !value.HasBoolParam) throw new BadRequestException($"unrecognized unload parameter '{ShownText.Of(name)}'; there is unload_dependents, true or false");
        }

        await control.Repository.UnloadAsync(request.RepositoryName, request.ModelName, control.AllowsModelControlOverGrpc, context.CancellationToken);
        return new RepositoryModelUnloadResponse();
    }

    public override Task<SystemSharedMemoryStatusResponse> SystemSharedMemoryStatus(SystemSharedMemoryStatusRequest request, ServerCallContext context)
    {
        var status = new SystemSharedMemoryStatusResponse();
        foreach (var region in control.SharedMemory.Status(Given(request.Name)))
        {
            status.Regions[region.Name] = new SystemSharedMemoryStatusResponse.Types.RegionStatus { Name = region.Name, Key = region.Key, Offset = (ulong)region.Offset, ByteSize = (ulong)region.Bytes };
        }

        return Task.FromResult(status);
    }

    public override Task<SystemSharedMemoryRegisterResponse> SystemSharedMemoryRegister(SystemSharedMemoryRegisterRequest request, ServerCallContext context)
    {
        // Beyond what a file can have: refused as what it is.
        control.SharedMemory.Register(request.Name, request.Key, (long)Math.Min(request.Offset, long.MaxValue), (long)Math.Min(request.ByteSize, long.MaxValue));
        return Task.FromResult(new SystemSharedMemoryRegisterResponse());
    }

    public override Task<SystemSharedMemoryUnregisterResponse> SystemSharedMemoryUnregister(SystemSharedMemoryUnregisterRequest request, ServerCallContext context)
    {
        control.SharedMemory.Unregister(Given(request.Name));
        return Task.FromResult(new SystemSharedMemoryUnregisterResponse());
    }

    public override Task<CudaSharedMemoryStatusResponse> CudaSharedMemoryStatus(CudaSharedMemoryStatusRequest request, ServerCallContext context) =>
        Task.FromResult(new CudaSharedMemoryStatusResponse());

    public override Task<CudaSharedMemoryRegisterResponse> CudaSharedMemoryRegister(CudaSharedMemoryRegisterRequest request, ServerCallContext context) =>
        throw new NotAvailableException(SharedMemoryRoutes.NoCuda);

    public override Task<CudaSharedMemoryUnregisterResponse> CudaSharedMemoryUnregister(CudaSharedMemoryUnregisterRequest request, ServerCallContext context)
    {
        control.SharedMemory.RequireEnabled();
        return Task.FromResult(new CudaSharedMemoryUnregisterResponse());
    }

    // A field of a message does not tell an empty text from one that was left out.
    private static string? Given(string text) => text.Length == 0 ? null : text;
}
