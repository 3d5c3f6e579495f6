using System.Text.Json.Serialization;

namespace Serve.Core.Models;

/// <summary>What a model version can do now.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ModelState>))]
public enum ModelState
{
    /// <summary>Registered without workers.</summary>
    Idle,

    /// <summary>Workers start; none was ready yet.</summary>
    Loading,

    /// <summary>At least one worker is ready.</summary>
    Ready,

    /// <summary>All workers are gone, replacements start.</summary>
    Recovering,

    /// <summary>It cannot be loaded, or its workers failed too often; the reason is beside it.</summary>
    Failed,

    /// <summary>It is being unregistered.</summary>
    Draining,
}

/// <summary>What a worker does now.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<WorkerState>))]
public enum WorkerState
{
    /// <summary>The process starts.</summary>
    Starting,

    /// <summary>It loads and warms up the model.</summary>
    Loading,

    /// <summary>It waits for requests.</summary>
    Ready,

    /// <summary>It has requests.</summary>
    Busy,

    /// <summary>It finishes what it has and gets nothing more.</summary>
    Draining,

    /// <summary>It has left.</summary>
    Stopped,

    /// <summary>It failed; a replacement waits for its turn.</summary>
    Failed,
}
