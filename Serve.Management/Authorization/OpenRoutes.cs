using System.Collections.Frozen;
using Microsoft.AspNetCore.Http;

namespace Serve.Management.Authorization;

/// <summary>
/// What never needs a token: the API's description, as in TorchServe, and the probes of orchestrators, which have none to
/// send. <c>/ping</c> needs one, as in TorchServe.
/// </summary>
internal static class OpenRoutes
{
    private const string GrpcHealth = "/grpc.health.v1.Health/";

    // As routing finds them: in any case, and with a slash at the end. gRPC's names are what they are.
    private static readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> Probes =
        FrozenSet.Create(StringComparer.OrdinalIgnoreCase, "/api-description", "/livez", "/readyz", "/startupz", "/v2/health/live", "/v2/health/ready").GetAlternateLookup<ReadOnlySpan<char>>();

    public static bool Include(string? path, string verb) => path switch
    {
        null => false,
        "/" => HttpMethods.IsOptions(verb),
        "/inference.GRPCInferenceService/ServerLive" or "/inference.GRPCInferenceService/ServerReady" => true,
        _ => Probes.Contains(path.AsSpan().TrimEnd('/')) || path.StartsWith(GrpcHealth, StringComparison.Ordinal),
    };
}
