using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;

namespace Serve.Management.Http;

/// <summary>
/// Requests that a web page of another site has its reader's browser send. To a server on loopback, or in an intranet, it
/// has the reader's reach; what is sent without asking first (a POST without a body of JSON) must not change anything.
/// </summary>
internal static class CrossSite
{
    private const string Site = "Sec-Fetch-Site";

    /// <summary>Refuses it. Browsers say of each request where it comes from, and let no page change that (Fetch Metadata, section 2.4).</summary>
    public static void Refuse(HttpRequest request)
    {
        if (request.Headers[Site].ToString() is "cross-site" or "same-site")
            throw new ServeException(StatusCodes.Status403Forbidden, "ForbiddenException", "A page of another site may not change anything here.");
    }
}
