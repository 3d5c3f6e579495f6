using System.Globalization;
using System.Text.Json;
using Serve.Core.Configuration;
using Serve.Core.Devices;
using Serve.Core.Handlers;
using Serve.Core.Models;

namespace Serve.Management.Rest;

/// <summary>
/// A model version as describe answers it: TorchServe's fields in TorchServe's order and units, then those of Serve's own.
/// Null fields are left out.
/// </summary>
public sealed record VersionBody
{
    public required string ModelName { get; init; }

    public required string ModelVersion { get; init; }

    public required string ModelUrl { get; init; }

    public string Runtime { get; init; } = "dotnet";

    public required int MinWorkers { get; init; }

    public required int MaxWorkers { get; init; }

    public required int BatchSize { get; init; }

    /// <summary>Milliseconds.</summary>
    public required long MaxBatchDelay { get; init; }

    /// <summary>Seconds.</summary>
    public required long ResponseTimeout { get; init; }

    /// <summary>Seconds.</summary>
    public required long StartupTimeout { get; init; }

    public required long MaxRetryTimeoutInSec { get; init; }

    public long ClientTimeoutInMills { get; init; }

    public string ParallelType { get; init; } = "";

    public int ParallelLevel { get; init; }

    public required string DeviceType { get; init; }

    public IReadOnlyList<int>? DeviceIds { get; init; }

    public bool ContinuousBatching { get; init; }

    public bool UseJobTicket { get; init; }

    public bool UseVenv { get; init; }

    public bool Stateful { get; init; }

    public long SequenceMaxIdleMSec { get; init; }

    public long SequenceTimeoutMSec { get; init; }

    public int MaxNumSequence { get; init; }

    public int MaxSequenceJobQueueSize { get; init; }

    public required bool LoadedAtStartup { get; init; }

    public required IReadOnlyList<WorkerBody> Workers { get; init; }

    public required JobQueueBody JobQueueStatus { get; init; }

    /// <summary>What the handler says about itself; only with <c>customized=true</c>, and if it says anything.</summary>
    public JsonElement? CustomizedMetadata { get; init; }

    public required ModelState State { get; init; }

    /// <summary>Why it is not as it should be.</summary>
    public string? Reason { get; init; }

    public required bool DefaultVersion { get; init; }

    public string? Handler { get; init; }

    public required string Batching { get; init; }

    public required int Instances { get; init; }

    /// <summary>Milliseconds.</summary>
    public double? LatencyTarget { get; init; }

    /// <summary>In force now; a number, or what <c>auto</c> comes to.</summary>
    public required int MaxQueueSize { get; init; }

    public required LoadBody Load { get; init; }

    public ModelSignature? Signature { get; init; }

    /// <summary>Which stage limits it and what that means, from the last ten seconds.</summary>
    public string? Bottleneck { get; init; }

    public IReadOnlyList<string>? Notes { get; init; }

    public static VersionBody From(ModelDescription version)
    {
        var settings = version.Configuration;
        return new VersionBody
        {
            ModelName = version.Name,
            ModelVersion = version.Version,
            ModelUrl = version.Url,
            MinWorkers = settings.MinWorkers,
            MaxWorkers = settings.MaxWorkers,
            BatchSize = settings.BatchSize,
            MaxBatchDelay = (long)settings.MaxBatchDelay.TotalMilliseconds,
            ResponseTimeout = (long)Math.Ceiling(settings.ResponseTimeout.TotalSeconds),
            StartupTimeout = (long)Math.Ceiling(settings.StartupTimeout.TotalSeconds),
            MaxRetryTimeoutInSec = (long)Math.Ceiling(settings.MaxRetryTimeout.TotalSeconds),
            DeviceType = settings.DeviceType == Serve.Core.Configuration.DeviceType.Gpu ? "gpu" : "cpu",
            DeviceIds = settings.DeviceIds is { Count: > 0 } ids ? ids : null,
            LoadedAtStartup = version.LoadedAtStartup,
            Workers = [.. version.Workers.Select(WorkerBody.From)],
            JobQueueStatus = new JobQueueBody(version.RemainingCapacity, version.PendingRequests),
            State = version.State,
            Reason = version.Reason,
            DefaultVersion = version.IsDefault,
            Handler = version.Handler,
            Batching = settings.Batching == BatchingMode.Delayed ? "delayed" : "adaptive",
            Instances = settings.Instances,
            LatencyTarget = settings.LatencyTarget?.TotalMilliseconds,
            MaxQueueSize = version.QueueLimit,
            Load = LoadBody.From(version),
            Signature = version.Signature,
            Bottleneck = version.Bottleneck?.Text,
            Notes = version.Notes is { Count: > 0 } notes ? notes : null,
        };
    }
}

/// <summary>How full a version's queue is.</summary>
public sealed record JobQueueBody(int RemainingCapacity, int PendingRequests);

/// <summary>A worker as describe answers it.</summary>
public sealed record WorkerBody
{
    public required string Id { get; init; }

    /// <summary>ISO 8601, milliseconds, UTC.</summary>
    public required string StartTime { get; init; }

    /// <summary>TorchServe's three: READY, LOADING, UNLOADING.</summary>
    public required string Status { get; init; }

    /// <summary>Resident memory in bytes; 0 until the worker has told.</summary>
    public required long MemoryUsage { get; init; }

    /// <summary>Memory on its GPU in bytes, where the driver tells.</summary>
    public long? DeviceMemoryUsage { get; init; }

    /// <summary>What its stages did within the last ten seconds; absent until it has told.</summary>
    public StagesBody? Stages { get; init; }

    public int? Pid { get; init; }

    public required bool Gpu { get; init; }

    /// <summary>The state of its GPU in TorchServe's words; N/A on a CPU.</summary>
    public required string GpuUsage { get; init; }

    public required WorkerState State { get; init; }

    public string? Device { get; init; }

    public required int Restarts { get; init; }

    public required int OutstandingRows { get; init; }

    public static WorkerBody From(WorkerDescription worker) => new()
    {
        Id = worker.Id,
        StartTime = worker.StartTime.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture),
        Status = worker.State switch
        {
            WorkerState.Ready or WorkerState.Busy => "READY",
            WorkerState.Starting or WorkerState.Loading => "LOADING",
            _ => "UNLOADING",
        },
        MemoryUsage = worker.MemoryBytes,
        DeviceMemoryUsage = worker.DeviceMemoryBytes,
        GpuUsage = worker.Gpu is { } gpu ? GpuUsageText(gpu) : "N/A",
        Stages = StagesBody.From(worker.Stages),
        Pid = worker.Pid,
        Gpu = worker.Device is { } device && !device.StartsWith("cpu", StringComparison.OrdinalIgnoreCase),
        State = worker.State,
        Device = worker.Device,
        Restarts = worker.Restarts,
        OutstandingRows = worker.OutstandingRows,
    };

    private static string GpuUsageText(DeviceReading gpu) => string.Create(
        CultureInfo.InvariantCulture,
        $"gpuId::{gpu.Device[(gpu.Device.IndexOf(':', StringComparison.Ordinal) + 1)..]} utilization.gpu::{gpu.Utilization * 100:0} % utilization.memory::{gpu.MemoryUtilization * 100:0} % memory.used::{gpu.MemoryUsedBytes >> 20} MiB");
}
