using System.Text.Json.Nodes;
using Serve.Management.Authorization;

namespace Serve.Management.Http.OpenApi;

/// <summary>What each route of a document asks of its caller.</summary>
/// <param name="guard">The guard that stands before all of them; null: none.</param>
internal sealed class ApiSecurity(TokenGuard? guard)
{
    private const string Token = "token";

    /// <summary>The ways to be let in; null: no route asks.</summary>
    public JsonObject? Schemes => guard is null ? null : new JsonObject
    {
        [Token] = new JsonObject
        {
            ["type"] = "http",
            ["scheme"] = "bearer",
            ["description"] = guard.TakesCertificates ? "A token of this interface; a client certificate does as well." : "A token of this interface.",
        },
    };

    /// <summary>What an operation asks for; null: nothing.</summary>
    public JsonArray? Of(string path, string verb)
    {
        if (guard is null || guard.LeavesOpen(path, verb)) return null;
        var alternatives = new JsonArray(new JsonObject { [Token] = new JsonArray() });

        // OpenAPI 3.0 has no word for client certificates: for it they are a call without anything.
        if (guard.TakesCertificates && !guard.AsksManagement(path, verb)) alternatives.Add(new JsonObject());
        return alternatives;
    }
}
