using System.Text.Json.Serialization;

namespace Serve.Core.Configuration;

/// <summary>When a batch closes.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<BatchingMode>))]
public enum BatchingMode
{
    /// <summary>
    /// Work-conserving: requests go to a worker as its credit allows, and the worker closes a batch at the moment a device
    /// slot is free, with what is ready. Nothing ever waits for a batch to fill.
    /// </summary>
    Adaptive,

    /// <summary>TorchServe's rule: hold requests until <c>batchSize</c> are there or the oldest has waited <c>maxBatchDelay</c> since its arrival.</summary>
    Delayed,
}

/// <summary>A kind of device.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<DeviceType>))]
public enum DeviceType
{
    /// <summary>The host's processor.</summary>
    Cpu,

    /// <summary>A CUDA device.</summary>
    Gpu,
}
