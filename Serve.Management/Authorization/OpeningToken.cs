using Serve.Core.Security;

namespace Serve.Management.Authorization;

/// <summary>The token that has opened a request, for an answer that goes on: it may be withdrawn or expire meanwhile. A feature of the request.</summary>
/// <param name="hash">The token's hash; the token itself is gone.</param>
/// <param name="accepted">The tokens that open the interface.</param>
internal sealed class OpeningToken(byte[] hash, TokenSet[] accepted)
{
    /// <summary>Whether it would open the next request as well.</summary>
    public bool IsValid => Array.Exists(accepted, set => set.Accepts(hash));
}
