using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Core.Scheduling;

namespace Serve.Core.Workers;

/// <summary>A request whose deadline has passed.</summary>
/// <param name="Request">The request.</param>
/// <param name="Place">Where it was then: told under the scheduler's lock, for its worker may answer meanwhile.</param>
internal readonly record struct LateRequest(InferenceRequest Request, ExpiredPlace Place)
{
    /// <summary>Where the request is now.</summary>
    public static LateRequest Of(InferenceRequest request) => new(request, request switch
    {
        { Worker: null } => ExpiredPlace.Queue,
        { Place: RequestPlace.Begun } => ExpiredPlace.Running,
        _ => ExpiredPlace.Worker,
    });
}
