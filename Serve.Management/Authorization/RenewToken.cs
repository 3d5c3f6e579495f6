using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Management.Http;

namespace Serve.Management.Authorization;

/// <summary><c>/token?type=management|inference|token</c>: TorchServe's route for a new token, which is in the key file then.</summary>
internal sealed class RenewToken(KeyFile keys)
{
    /// <summary>The route.</summary>
    public const string Path = "/token";

    private static readonly ReadOnlyMemory<byte> Empty = "{}\n"u8.ToArray();

    private readonly TokenGuard _guard = new(keys.Api);

    public Task HandleAsync(HttpContext context)
    {
        if (!_guard.Allows(context)) throw new InvalidKeyException("Token Authentication failed. Token either incorrect, expired, or not provided correctly");
        var type = context.Request.Query["type"].ToString().ToLowerInvariant();
        if (!keys.Renew(type)) throw new BadRequestException($"Parameter type must be inference, management or token, not \"{type}\".");
        return PrettyJson.WriteAsync(context, StatusCodes.Status200OK, Empty);
    }
}
