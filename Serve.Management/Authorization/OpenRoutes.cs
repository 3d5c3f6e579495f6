using Microsoft.AspNetCore.Http;

namespace Serve.Management.Authorization;

/// <summary>
/// What never needs a token: the API's description, as in TorchServe, and the probes of orchestrators, which have none to
/// send. <c>/ping</c> needs one, as in TorchServe.
/// </summary>
internal static class OpenRoutes
{
    private const string GrpcHealth = "/grpc.health.v1.Health/";

    public static bool Include(string? path, string verb) => path switch
    {
        "/" => HttpMethods.IsOptions(verb),
        "/api-description" or "/livez" or "/readyz" or "/startupz" => true,
        "/v2/health/live" or "/v2/health/ready" or "/inference.GRPCInferenceService/ServerLive" or "/inference.GRPCInferenceService/ServerReady" => true,
        _ => path?.StartsWith(GrpcHealth, StringComparison.Ordinal) == true,
    };
}
