using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Core.Observability.Sampling;
using Serve.Management.Authorization;
using Serve.Management.Http;

namespace Serve.Management.Overview;

/// <summary><c>GET /overview</c>: once, or as a stream of events for as long as the client listens.</summary>
/// <param name="registry">The models.</param>
/// <param name="health">What <c>/ping</c> says.</param>
/// <param name="inferenceAddress">Where inference is spoken over HTTP.</param>
/// <param name="inferenceGuard">Who may ask for it; null: everybody.</param>
/// <param name="time">The clock.</param>
public sealed class OverviewFeed(ModelRegistry registry, Func<ServerHealth> health, string inferenceAddress, TokenGuard? inferenceGuard, TimeProvider time) : IDisposable
{
    /// <summary>The time between two overviews.</summary>
    public static TimeSpan Interval => OverviewSource.Interval;

    private readonly SharedFeed<OverviewSample> _feed = new(new OverviewSource(registry, health, inferenceAddress, inferenceGuard is { AsksForToken: true }, time).SampleAsync);

    /// <summary>Ends all streams: the server stops.</summary>
    public void Dispose() => _feed.Dispose();

    internal async Task HandleAsync(HttpContext context)
    {
        var wantsStream = RequestParameters.FromQuery(context).Flag("stream") ?? context.Request.Headers.Accept.Any(static accept => accept?.Contains(OverviewStream.MediaType, StringComparison.OrdinalIgnoreCase) == true);

        // One answer is of after the question: what was done before it is seen in it.
        using var listener = _feed.Listen(takesLast: wantsStream);
        var first = await listener.NextAsync(context.RequestAborted) ?? throw new ServiceUnavailableException("The server is stopping.", TimeSpan.FromSeconds(1));
        if (wantsStream) await OverviewStream.WriteAsync(context, first, listener, _feed.Stopped);
        else await PrettyJson.WriteAsync(context, StatusCodes.Status200OK, first.Document);
    }
}
