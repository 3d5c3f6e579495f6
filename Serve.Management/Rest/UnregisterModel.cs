using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Management.Http;

namespace Serve.Management.Rest;

/// <summary><c>DELETE /models/{model}[/{version}]</c>: drains the version and removes it.</summary>
internal sealed class UnregisterModel(ModelRegistry registry, bool enabled)
{
    public async Task HandleAsync(HttpContext context)
    {
        if (!enabled) throw new MethodNotAllowedException();
        var model = context.Model();
        await registry.UnregisterAsync(model, context.Version(), context.RequestAborted);
        await PrettyJson.WriteStatusAsync(context, StatusCodes.Status200OK, $"Model \"{model}\" unregistered");
    }
}
