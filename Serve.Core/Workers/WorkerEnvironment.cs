using Serve.Core.Devices;

namespace Serve.Core.Workers;

/// <summary>What all worker pools of a server share.</summary>
/// <param name="Settings">Executable, folders and limits.</param>
/// <param name="Spawner">Starts processes.</param>
/// <param name="Time">The clock.</param>
/// <param name="HostWorkers">How many workers the machine has or will have, for choosing thread counts.</param>
/// <param name="Devices">Knows the GPUs.</param>
internal sealed record WorkerEnvironment(WorkerSettings Settings, WorkerSpawner Spawner, TimeProvider Time, Func<int> HostWorkers, DeviceMonitor Devices);
