using Grpc.Core;
using Grpc.Health.V1;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Frontend.Hosting;
using Serve.Frontend.OpenInference.Infer.Grpc;
using static Grpc.Health.V1.HealthCheckResponse.Types;

namespace Serve.Frontend.Grpc;

/// <summary>
/// The standard health service, <c>grpc.health.v1.Health</c>: of the server (an empty name, or that of a service), of a
/// model's default version (its name), and of one version (<c>name/version</c>).
/// </summary>
internal sealed class HealthService(ModelRegistry registry, ModelLoading loading, Shutdown shutdown, TimeProvider time) : Health.HealthBase
{
    // Nothing tells when a state changes, and asking costs next to nothing.
    private static readonly TimeSpan WatchInterval = TimeSpan.FromMilliseconds(250);

    public override Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context) => StatusOf(request.Service) switch
    {
        ServingStatus.ServiceUnknown => throw new ModelNotFoundException($"Model not found: {ShownText.Of(request.Service)}"),
        var status => Task.FromResult(new HealthCheckResponse { Status = status }),
    };

    public override async Task Watch(HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context)
    {
        using var timer = new PeriodicTimer(WatchInterval, time);
        ServingStatus? told = null;
        do
        {
            // First the drain, then the status: the last thing that a client hears is that nothing is served.
            var stops = shutdown.IsDraining;
            var status = StatusOf(request.Service);
            if (status != told) await responseStream.WriteAsync(new HealthCheckResponse { Status = status }, context.CancellationToken);
            told = status;
            if (stops) throw Shutdown.Refusal();
        }
        while (await timer.WaitForNextTickAsync(context.CancellationToken));
    }

    private ServingStatus StatusOf(string service)
    {
        if (shutdown.IsDraining) return ServingStatus.NotServing;
        if (service.Length == 0 || service == InferMethods.Service || service.StartsWith("org.pytorch.serve.grpc.", StringComparison.Ordinal))
            return loading.IsDone && registry.Health != ServerHealth.Unhealthy ? ServingStatus.Serving : ServingStatus.NotServing;

        var slash = service.IndexOf('/', StringComparison.Ordinal);
        var (model, version) = slash < 0 ? (service, "") : (service[..slash], service[(slash + 1)..]);
        if (registry.Find(model, version) is { } found) return found.IsReady ? ServingStatus.Serving : ServingStatus.NotServing;
        return loading.IsDone ? ServingStatus.ServiceUnknown : ServingStatus.NotServing;
    }
}
