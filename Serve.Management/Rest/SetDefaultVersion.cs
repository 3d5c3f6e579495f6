using Microsoft.AspNetCore.Http;
using Serve.Core.Models;
using Serve.Management.Http;

namespace Serve.Management.Rest;

/// <summary><c>PUT /models/{model}/{version}/set-default</c>.</summary>
internal sealed class SetDefaultVersion(ModelRegistry registry)
{
    public async Task HandleAsync(HttpContext context)
    {
        var (model, version) = (context.Model(), context.Version()!);
        await registry.SetDefaultAsync(model, version);
        await PrettyJson.WriteStatusAsync(context, StatusCodes.Status200OK, $"Default version successfully updated for model \"{model}\" to \"{version}\"");
    }
}
