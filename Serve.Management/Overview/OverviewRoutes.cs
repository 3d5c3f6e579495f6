using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Serve.Management.Http.OpenApi;

namespace Serve.Management.Overview;

/// <summary>The overview's route.</summary>
public static class OverviewRoutes
{
    private static readonly ApiOperation Operation = new("overview")
    {
        Parameters = [new("stream", ApiType.Boolean, "Whether to answer with an event each second until the client leaves; without it, where the client accepts text/event-stream.")],
        Answers = [new(StatusCodes.Status200OK, "The server now, and what it did in the last second.", ApiContent.Of(OverviewJson.Default.OverviewBody))],
        Errors = [400, 503],
    };

    /// <summary>Maps it.</summary>
    /// <param name="routes">The management listener's routes.</param>
    /// <param name="feed">What answers.</param>
    public static void MapOverview(this IEndpointRouteBuilder routes, OverviewFeed feed) =>
        routes.MapGet("/overview", feed.HandleAsync).WithTags("Overview").WithSummary("Shows the whole server: models, workers, devices, rates and latency").Describes(Operation);
}
