namespace Serve.Tests.Simulation;

/// <summary>A frontend with its workers, under one policy.</summary>
internal interface IServer
{
    IEnumerable<SimulatedDevice> Devices { get; }

    void Submit(SimulatedRequest request);
}
