using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Serve.Core.Configuration.Tokens;
using Serve.Core.Security;
using Serve.Management.Console;

namespace Serve.Management.Authorization;

/// <summary>
/// Asks who calls one interface: <c>Authorization: Bearer TOKEN</c>, over REST as over gRPC. A token is taken out of the
/// request that it opens, so that no handler sees it.
/// </summary>
/// <param name="accepted">The tokens that open it; none: it is open, but for what <see cref="OfManagement"/> guards.</param>
public sealed class TokenGuard(params TokenSet[] accepted)
{
    private const string Scheme = "Bearer ";

    /// <summary>Whether it asks on all routes but the open ones, or only on those that <see cref="OfManagement"/> guards.</summary>
    public bool AsksForToken => accepted.Length > 0;

    /// <summary>Whether a client certificate, which the handshake has checked, does as well.</summary>
    public bool TakesCertificates { get; init; }

    /// <summary>Who is asked instead on routes that manage models, although the interface is another's; null: no such routes.</summary>
    public TokenGuard? OfManagement { get; init; }

    /// <summary>A route that asks by itself; null: none.</summary>
    public string? OwnGuardPath { get; init; }

    /// <summary>Whether the web console's page is there, which needs no token to be loaded.</summary>
    public bool HasConsole { get; init; }

    /// <summary>Whether a request keeps a <see cref="OpeningToken"/>: where answers go on longer than tokens may. An object a request.</summary>
    public bool Remembers { get; init; }

    /// <summary>Whether a request may go on. Hot path: one hash, no allocation, unless it <see cref="Remembers"/>.</summary>
    public bool Allows(HttpContext context)
    {
        if (OfManagement is not null && ManagingRoutes.Include(context.Request.Path.Value, context.Request.Method)) return OfManagement.Allows(context);
        if (!AsksForToken) return true;
        var headers = context.Request.Headers;
        if (IsValid(headers.Authorization, context))
        {
            headers.Authorization = default;
            return true;
        }

        return (TakesCertificates && context.Connection.ClientCertificate is not null)
            || IsOwnGuard(context.Request.Path.Value)
            || IsOpen(context.Request.Path.Value, context.Request.Method);
    }

    /// <summary>Whether a route is open to everybody, for its description.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="verb">Its verb, in capitals.</param>
    internal bool LeavesOpen(string path, string verb) => IsOpen(path, verb) || (!AsksForToken && !ManagingRoutes.Include(path, verb));

    /// <summary>Whether a route asks for a token of management, although the interface is another's.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="verb">Its verb, in capitals.</param>
    internal bool AsksManagement(string path, string verb) => OfManagement is not null && ManagingRoutes.Include(path, verb);

    // As routing finds it: in any case, and with a slash at the end.
    private bool IsOwnGuard(string? path) => OwnGuardPath is not null && path.AsSpan().TrimEnd('/').Equals(OwnGuardPath, StringComparison.OrdinalIgnoreCase);

    private bool IsOpen(string? path, string verb) => OpenRoutes.Include(path, verb) || (HasConsole && ConsoleRoutes.IsPage(path, verb));

    private bool IsValid(StringValues values, HttpContext context)
    {
        if (values.Count != 1 || values[0] is not { } header || !header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)) return false;
        Span<byte> hash = stackalloc byte[AccessToken.HashBytes];
        if (!AccessToken.TryHash(header.AsSpan(Scheme.Length).Trim(' '), hash)) return false;

        var found = false;
        foreach (var set in accepted) found |= set.Accepts(hash);
        if (found && Remembers) context.Features.Set(new OpeningToken(hash.ToArray(), accepted));
        return found;
    }
}
