using System.Globalization;
using Serve.Frontend.Commands;

namespace Serve.Frontend.Tuning;

/// <summary>Settings and results in words.</summary>
internal static class TuneTexts
{
    /// <summary>Titles of <see cref="Row"/>.</summary>
    public static string[] Headers { get; } =
        ["", "Batch size", "Workers", "Instances", "Batching", "Decode", "Intra-op", "Clients", "Answers/s", "p50 ms", "p99 ms", "Device", "Memory", "Device mem.", "CPU", "Mean batch", ""];

    /// <summary>One line of the table; the chosen one is marked.</summary>
    public static string[] Row(TuneResult result, TuneReport report)
    {
        var setting = result.Setting;
        var isBest = ReferenceEquals(result, report.Best);
        var isOver = result.Failure is null && report.P99BoundMilliseconds is { } bound && result.P99Milliseconds > bound;
        return
        [
            isBest ? "*" : "", Text(setting.BatchSize), Text(setting.Workers), Text(setting.Instances), setting.DelayMilliseconds > 0 ? $"delayed {setting.DelayMilliseconds} ms" : "adaptive",
            setting.DecodeThreads > 0 ? Text(setting.DecodeThreads) : "auto", setting.IntraOpThreads > 0 ? Text(setting.IntraOpThreads) : "auto", Text(result.Clients),
            Text(result.PerSecond), Text(result.P50Milliseconds), Text(result.P99Milliseconds), $"{100 * result.DeviceUse:0} %", ModelTables.Bytes(result.WorkerMemoryBytes),
            result.DeviceMemoryBytes is { } device ? ModelTables.Bytes(device) : "-", Text(result.ServerCores), Text(result.MeanBatch),
            result.Failure is { } failure ? failure.ReplaceLineEndings(" ") : result.Errors > 0 ? Errors(result) : isBest ? (isOver ? "least over the bound" : "best") : isOver ? "over the bound" : result.Effort == TuneEffort.Full ? "" : "at a glance",
        ];
    }

    /// <summary>How many requests failed, and why the first did.</summary>
    public static string Errors(TuneResult result) => string.Create(CultureInfo.InvariantCulture, $"{result.Errors:#,0} errors: {result.FirstError?.ReplaceLineEndings(" ") ?? "unknown"}");

    /// <summary>What limits a result: the server's words, or what can be told without them.</summary>
    public static string Bottleneck(TuneResult result)
    {
        if (result.Bottleneck is { Length: > 0 } words) return words;
        return result.DeviceUse >= 0.85 ? $"device-bound: it executes {100 * result.DeviceUse:0} % of the time"
            : result.DecodeMilliseconds > result.ExecuteMilliseconds ? "decode-bound: requests spend more time in decoding than in execution"
            : string.Create(CultureInfo.InvariantCulture, $"nothing is full: the device executes {100 * result.DeviceUse:0} % of the time, the server uses {result.ServerCores:0.0} of {Environment.ProcessorCount} processors");
    }

    /// <summary>A setting in words; what is left to the machine is not mentioned.</summary>
    public static string Describe(TuneSetting setting, bool withBatch = true)
    {
        var words = new List<string>();
        if (withBatch) words.Add($"batch {setting.BatchSize}");
        words.Add(setting.Workers == 1 ? "1 worker" : $"{setting.Workers} workers");
        if (setting.Instances > 1) words.Add($"{setting.Instances} instances");
        if (setting.DelayMilliseconds > 0) words.Add($"delayed {setting.DelayMilliseconds} ms");
        if (setting.DecodeThreads > 0) words.Add($"{setting.DecodeThreads} decode threads");
        if (setting.IntraOpThreads > 0) words.Add($"{setting.IntraOpThreads} intra-op threads");
        return string.Join(", ", words);
    }

    private static string Text(double value) => value.ToString(Math.Abs(value) >= 1000 ? "#,0" : Math.Abs(value) >= 100 ? "0.#" : "0.##", CultureInfo.InvariantCulture);
}
