using Microsoft.AspNetCore.Http;
using Serve.Core.Models;
using Serve.Frontend.Hosting;
using Serve.Management.Http;

namespace Serve.Frontend.Inference;

/// <summary><c>/ping</c>: whether the default version of every model serves.</summary>
internal sealed class Ping(ModelRegistry registry, ModelLoading loading, Shutdown shutdown)
{
    private static readonly ReadOnlyMemory<byte> Healthy = Document("Healthy");
    private static readonly ReadOnlyMemory<byte> PartialHealthy = Document("Partial Healthy");
    private static readonly ReadOnlyMemory<byte> Unhealthy = Document("Unhealthy");

    public Task HandleAsync(HttpContext context)
    {
        var (status, document) = Ask();
        return PrettyJson.WriteAsync(context, status, document);
    }

    /// <summary>What it says. Load balancers should look elsewhere until all models are known, and as soon as new requests are refused here.</summary>
    public ServerHealth Health => loading.IsDone && !shutdown.IsDraining ? registry.Health : ServerHealth.Unhealthy;

    /// <summary>HTTP status and JSON of the answer.</summary>
    public (int Status, ReadOnlyMemory<byte> Document) Ask() => Health switch
    {
        ServerHealth.Healthy => (StatusCodes.Status200OK, Healthy),
        ServerHealth.PartialHealthy => (StatusCodes.Status200OK, PartialHealthy),
        _ => (StatusCodes.Status500InternalServerError, Unhealthy),
    };

    private static ReadOnlyMemory<byte> Document(string status) => PrettyJson.Encode(new StatusBody(status), HttpJson.Default.StatusBody);
}
