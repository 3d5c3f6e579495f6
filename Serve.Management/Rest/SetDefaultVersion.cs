using Microsoft.AspNetCore.Http;
using Serve.Core.Models;
using Serve.Management.Http;

namespace Serve.Management.Rest;

/// <summary><c>PUT /models/{model}/{version}/set-default</c>.</summary>
internal sealed class SetDefaultVersion(ModelRegistry registry)
{
    public async Task HandleAsync(HttpContext context) =>
        await PrettyJson.WriteStatusAsync(context, StatusCodes.Status200OK, await RunAsync(context.Model(), context.Version()!));

    /// <summary>Makes it the default.</summary>
    /// <returns>A sentence.</returns>
    public async Task<string> RunAsync(string model, string version)
    {
        await registry.SetDefaultAsync(model, version);
        return $"Default version successfully updated for model \"{model}\" to \"{version}\"";
    }
}
