using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Serve.Frontend.Hosting;
using Serve.Management.Http;
using Serve.Management.Http.OpenApi;

namespace Serve.Frontend.Inference;

/// <summary>
/// What orchestrators ask, which send no token: whether to kill the process, to send it requests, to wait longer for its start.
/// 200 or 503.
/// </summary>
internal sealed class Probes(Ping ping, ModelLoading loading)
{
    /// <summary>Maps <c>/livez</c>, <c>/readyz</c> and <c>/startupz</c>.</summary>
    public void Map(IEndpointRouteBuilder routes)
    {
        routes.Map("/livez", static context => AnswerAsync(context, true)).WithTags("Health").WithSummary("Whether the server answers at all").Describes(InferenceOperations.Probe("live"));
        routes.Map("/readyz", context => AnswerAsync(context, ping.Ask().Status == StatusCodes.Status200OK)).WithTags("Health").WithSummary("Whether it takes requests: /ping is not Unhealthy").Describes(InferenceOperations.Probe("ready"));
        routes.Map("/startupz", context => AnswerAsync(context, loading.IsDone)).WithTags("Health").WithSummary("Whether all models of the configuration are registered, or known not to be").Describes(InferenceOperations.Probe("started"));
    }

    private static Task AnswerAsync(HttpContext context, bool yes) => PrettyJson.WriteStatusAsync(context, yes ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable, yes ? "OK" : "Not yet");
}
