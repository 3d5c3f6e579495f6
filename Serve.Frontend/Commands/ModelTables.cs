using System.Globalization;
using Serve.Core.Handlers;
using Serve.Management.Rest;

namespace Serve.Frontend.Commands;

/// <summary>Model versions and workers as tables.</summary>
internal static class ModelTables
{
    /// <summary>One line a version.</summary>
    public static void Versions(Screen screen, IEnumerable<VersionBody> versions) => screen.Table(
        ["Model", "Version", "State", "Workers", "Batch", "Waiting", "From"],
        versions.Select(version => (string[])
        [
            version.ModelName,
            version.ModelVersion + (version.DefaultVersion ? " (default)" : ""),
            version.State.ToString(),
            $"{version.Workers.Count(worker => worker.Status == "READY")} of {Range(version)}",
            version.BatchSize.ToString(CultureInfo.InvariantCulture),
            $"{version.JobQueueStatus.PendingRequests}",
            version.ModelUrl,
        ]),
        Screen.ColourOf);

    /// <summary>Everything about one version.</summary>
    public static void Details(Screen screen, VersionBody version)
    {
        screen.Line($"{version.ModelName} {version.ModelVersion}{(version.DefaultVersion ? " (default)" : "")}");
        screen.Table(["", ""], Facts(version), Screen.ColourOf);
        if (version.Workers.Count == 0) return;

        screen.Table(
            ["Worker", "State", "Process", "Device", "Memory", "Device memory", "Device use", "Outstanding", "Restarts", "Since"],
            version.Workers.Select(worker => (string[])
            [
                worker.Id,
                worker.State.ToString(),
                worker.Pid?.ToString(CultureInfo.InvariantCulture) ?? "",
                worker.Device ?? "",
                Bytes(worker.MemoryUsage),
                worker.DeviceMemoryUsage is { } onDevice ? Bytes(onDevice) : "",
                worker.Stages is { } stages ? string.Create(CultureInfo.InvariantCulture, $"{stages.DeviceBusy * 100:0} %") : "",
                worker.OutstandingRows.ToString(CultureInfo.InvariantCulture),
                worker.Restarts.ToString(CultureInfo.InvariantCulture),
                worker.StartTime,
            ]),
            Screen.ColourOf);
    }

    /// <summary>A number of bytes for people.</summary>
    public static string Bytes(long bytes) => bytes switch
    {
        < 1 << 10 => string.Create(CultureInfo.InvariantCulture, $"{bytes} B"),
        < 1 << 20 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0:0.#} KiB"),
        < 1 << 30 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (1024.0 * 1024):0.#} MiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / (1024.0 * 1024 * 1024):0.##} GiB"),
    };

    private static IEnumerable<string[]> Facts(VersionBody version)
    {
        yield return ["state", version.State.ToString()];
        if (version.Reason is { } reason) yield return ["reason", reason];
        yield return ["from", version.ModelUrl];
        if (version.Handler is { } handler) yield return ["handler", handler];
        yield return ["device", version.DeviceType];
        yield return ["workers", Range(version)];
        yield return ["instances", $"{version.Instances} in each worker"];
        yield return ["batches", $"up to {version.BatchSize}, {version.Batching}" + (version.Batching == "delayed" ? $", {version.MaxBatchDelay} ms" : "")];
        yield return ["queue", $"{version.JobQueueStatus.PendingRequests} waiting, room for {version.JobQueueStatus.RemainingCapacity} more"];
        if (version.Bottleneck is { } bottleneck) yield return ["bottleneck", bottleneck];
        yield return ["response timeout", $"{version.ResponseTimeout} s"];
        foreach (var input in version.Signature?.Inputs ?? []) yield return ["input", Tensor(input)];
        foreach (var output in version.Signature?.Outputs ?? []) yield return ["output", Tensor(output)];
        foreach (var note in version.Notes ?? []) yield return ["note", note];
    }

    private static string Tensor(TensorInfo tensor) =>
        $"{tensor.Name}: {tensor.ElementType} [{string.Join(", ", tensor.Shape.Select(size => size < 0 ? "?" : size.ToString(CultureInfo.InvariantCulture)))}]";

    private static string Range(VersionBody version) =>
        version.MinWorkers == version.MaxWorkers ? $"{version.MinWorkers}" : $"{version.MinWorkers}-{version.MaxWorkers}";
}
