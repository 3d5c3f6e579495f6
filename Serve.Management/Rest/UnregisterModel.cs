using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Management.Http;

namespace Serve.Management.Rest;

/// <summary><c>DELETE /models/{model}[/{version}]</c>: drains the version and removes it.</summary>
internal sealed class UnregisterModel(ModelRegistry registry, bool enabled)
{
    public async Task HandleAsync(HttpContext context) =>
        await PrettyJson.WriteStatusAsync(context, StatusCodes.Status200OK, await RunAsync(context.Model(), context.Version(), context.RequestAborted));

    /// <summary>Drains and removes it.</summary>
    /// <returns>A sentence.</returns>
    public async Task<string> RunAsync(string model, string? version, CancellationToken cancellation)
    {
        if (!enabled) throw new MethodNotAllowedException();
        await registry.UnregisterAsync(model, version, cancellation);
        return $"Model \"{model}\" unregistered";
    }
}
