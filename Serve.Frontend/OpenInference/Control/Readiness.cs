using Microsoft.AspNetCore.Http;
using Serve.Core.Models;
using Serve.Frontend.Hosting;
using Serve.Frontend.Inference;

namespace Serve.Frontend.OpenInference.Control;

/// <summary>What takes requests: the server as <c>/ping</c> has it, and each model version.</summary>
internal sealed class Readiness(ModelRegistry registry, Ping ping, Shutdown shutdown)
{
    /// <summary>Whether the server takes requests.</summary>
    public bool IsReady => ping.Ask().Status == StatusCodes.Status200OK;

    /// <summary>The HTTP status of a server that does not: 503 when it stops, 400 before it is ready, as Triton's clients know it.</summary>
    public int StatusIfNotReady => shutdown.IsDraining ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status400BadRequest;

    /// <summary>Whether a version takes requests; false for one that there is not.</summary>
    public bool IsModelReady(string model, string? version) => !shutdown.IsDraining && registry.Find(model, version) is { IsReady: true };
}
