using Serve.Core.Scheduling;

namespace Serve.Tests.Simulation;

/// <summary>A request in the frontend.</summary>
internal sealed class SimulatedRequest : ScheduledRequest
{
    /// <summary>Executing it kills the worker.</summary>
    public bool IsPoison { get; init; }

    /// <summary>How often it was answered: once, in the end.</summary>
    public int Answers { get; set; }

    public bool HasFailed { get; set; }

    /// <summary>Its batch ran, so its answer is one.</summary>
    public bool HasRun { get; set; }

    public Action? Done { get; init; }
}

/// <summary>A request in a worker.</summary>
internal sealed class SimulatedRow(SimulatedRequest request) : FormerRow
{
    public SimulatedRequest Request => request;
}
