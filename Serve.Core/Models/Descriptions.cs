using Serve.Core.Configuration;
using Serve.Core.Devices;
using Serve.Core.Handlers;
using Serve.Core.Observability;
using Serve.Core.Scheduling;

namespace Serve.Core.Models;

/// <summary>A model version as it is now, for describe, the command line and the console.</summary>
public sealed record ModelDescription
{
    /// <summary>Name.</summary>
    public required string Name { get; init; }

    /// <summary>Version.</summary>
    public required string Version { get; init; }

    /// <summary>What it was registered from.</summary>
    public required string Url { get; init; }

    /// <summary>Whether requests that name no version go to this one.</summary>
    public required bool IsDefault { get; init; }

    /// <summary>Whether it was registered when the server started.</summary>
    public required bool LoadedAtStartup { get; init; }

    /// <summary>Configuration in force; worker numbers as last scaled.</summary>
    public required ModelConfiguration Configuration { get; init; }

    /// <summary>State.</summary>
    public required ModelState State { get; init; }

    /// <summary>Why it is <see cref="ModelState.Failed"/>, or the last worker's failure; null if there was none.</summary>
    public string? Reason { get; init; }

    /// <summary>The handler, as the worker named it once ready.</summary>
    public string? Handler { get; init; }

    /// <summary>Inputs and outputs; null until a worker was ready, or for a handler without a model.</summary>
    public ModelSignature? Signature { get; init; }

    /// <summary>What the worker has to say about the model.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Workers, oldest first.</summary>
    public required IReadOnlyList<WorkerDescription> Workers { get; init; }

    /// <summary>Which stage limits it, from the last ten seconds of its workers; null before they have told.</summary>
    public Bottleneck? Bottleneck { get; init; }

    /// <summary>Requests that wait.</summary>
    public required int PendingRequests { get; init; }

    /// <summary>How many more may wait.</summary>
    public required int RemainingCapacity { get; init; }

    /// <summary>How many may wait.</summary>
    public required int QueueLimit { get; init; }

    /// <summary>Demand and capacity.</summary>
    public required DispatcherLoad Load { get; init; }

    /// <summary>What batches take, by their size; zero where nothing was measured.</summary>
    public required IReadOnlyList<BatchCost> BatchCosts { get; init; }

    /// <summary>The worker that was lost last; null: none was.</summary>
    public WorkerLoss? LastLoss { get; init; }
}

/// <summary>A worker that ended without having been asked to.</summary>
/// <param name="Id">The worker.</param>
/// <param name="Pid">Its process; null if none was started.</param>
/// <param name="Time">When its end was known.</param>
/// <param name="Reason">How it ended, for people.</param>
/// <param name="Output">The last lines that it wrote, oldest first.</param>
public sealed record WorkerLoss(string Id, int? Pid, DateTimeOffset Time, string Reason, IReadOnlyList<WorkerLine> Output);

/// <summary>What a worker has written of late.</summary>
/// <param name="Id">The worker.</param>
/// <param name="Pid">Its process; null before it runs and after its end.</param>
/// <param name="State">Its state.</param>
/// <param name="Output">The lines, oldest first.</param>
public sealed record WorkerTail(string Id, int? Pid, WorkerState State, IReadOnlyList<WorkerLine> Output);

/// <summary>A line that a worker wrote.</summary>
/// <param name="Time">When it came.</param>
/// <param name="Text">As the worker wrote it.</param>
public readonly record struct WorkerLine(DateTimeOffset Time, string Text);

/// <summary>A worker as it is now.</summary>
public sealed record WorkerDescription
{
    /// <summary>Unique within the server's life; TorchServe's is a port number, this counts from 9000 likewise.</summary>
    public required string Id { get; init; }

    /// <summary>When its process started.</summary>
    public required DateTimeOffset StartTime { get; init; }

    /// <summary>State.</summary>
    public required WorkerState State { get; init; }

    /// <summary>From the start of its process until it was ready; null before.</summary>
    public TimeSpan? LoadTime { get; init; }

    /// <summary>Process id; null before the process runs.</summary>
    public int? Pid { get; init; }

    /// <summary>Resident memory in bytes, as the worker last told; 0 before.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>Memory on its GPU in bytes; null on a CPU, and where the driver does not tell.</summary>
    public long? DeviceMemoryBytes { get; init; }

    /// <summary>The state of its GPU; null on a CPU, and where there is no driver to tell.</summary>
    public DeviceReading? Gpu { get; init; }

    /// <summary>What its stages did within the last ten seconds.</summary>
    public WorkerStages Stages { get; init; }

    /// <summary>Device, for example <c>cpu:0</c>; null until known.</summary>
    public string? Device { get; init; }

    /// <summary>How often this place in the pool was filled again.</summary>
    public int Restarts { get; init; }

    /// <summary>Rows at the worker now.</summary>
    public int OutstandingRows { get; init; }
}

/// <summary>What <c>/ping</c> says.</summary>
public enum ServerHealth
{
    /// <summary>Every default version has at least its <c>minWorkers</c> ready.</summary>
    Healthy,

    /// <summary>Every default version serves, some with fewer workers than asked for.</summary>
    PartialHealthy,

    /// <summary>Some default version that should serve has no ready worker.</summary>
    Unhealthy,
}
