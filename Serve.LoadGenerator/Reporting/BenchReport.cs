using System.Text.Json;
using System.Text.Json.Serialization;
using Serve.LoadGenerator.Measurement;

namespace Serve.LoadGenerator.Reporting;

/// <summary>Loads that were measured one after the other. Times are in milliseconds.</summary>
public sealed record BenchReport
{
    /// <summary>When it began.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>Where the load went.</summary>
    public required string Url { get; init; }

    /// <summary>What was asked for; with the share of each, if there are several.</summary>
    public required IReadOnlyList<string> Targets { get; init; }

    /// <summary>What was sent.</summary>
    public required string Data { get; init; }

    /// <summary><c>concurrency</c> (clients that wait for their answer) or <c>rate</c> (arrivals per second).</summary>
    public required string Load { get; init; }

    /// <summary>Answers within this time are good ones.</summary>
    public double? ObjectiveMilliseconds { get; init; }

    /// <summary>Processors of the machine that the load came from.</summary>
    public int Processors { get; init; } = Environment.ProcessorCount;

    /// <summary>Whether it was ended before its time.</summary>
    public bool WasInterrupted { get; init; }

    /// <summary>The loads.</summary>
    public required IReadOnlyList<BenchPoint> Points { get; init; }

    /// <summary>As JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, BenchJson.Default.BenchReport);
}

/// <summary>One load that was measured.</summary>
public sealed record BenchPoint
{
    /// <summary>Clients, or arrivals per second.</summary>
    public required double Load { get; init; }

    /// <summary>Answers with a status of 2xx per second.</summary>
    public required double PerSecond { get; init; }

    /// <summary>Those of them that came within the objective.</summary>
    public required double GoodPerSecond { get; init; }

    public required double MeanMilliseconds { get; init; }

    public required double P50Milliseconds { get; init; }

    public required double P90Milliseconds { get; init; }

    public required double P95Milliseconds { get; init; }

    public required double P99Milliseconds { get; init; }

    public required double MaxMilliseconds { get; init; }

    /// <summary>Good answers that were counted.</summary>
    public required long Answers { get; init; }

    /// <summary>Errors by kind: a status, or what happened to the connection.</summary>
    public required IReadOnlyDictionary<string, long> Errors { get; init; }

    /// <summary>What the first error said.</summary>
    public string? FirstError { get; init; }

    /// <summary>The 99th percentile of the time until a refusal.</summary>
    public double? RefusedP99Milliseconds { get; init; }

    /// <summary>Windows that were measured; the last three count.</summary>
    public required int Windows { get; init; }

    /// <summary>Whether those agreed.</summary>
    public required bool IsStable { get; init; }

    /// <summary>CPU of the load generator, in cores.</summary>
    public required double ClientCores { get; init; }

    /// <summary>How much of its time a thread of the generator was busy.</summary>
    public required double ClientBusy { get; init; }

    /// <summary>Whether the generator is what limits the figures.</summary>
    public required bool IsClientTheLimit { get; init; }

    /// <summary>Open loop: requests that had arrived and waited for a connection at the end.</summary>
    public long Backlog { get; init; }

    /// <summary>Requests that had arrived and had no answer at the end.</summary>
    public long Unanswered { get; init; }

    /// <summary>
    /// Latencies of the answers and of those requests together, each counted for as long as it had been under way: the least that
    /// they can be. Null: there were none.
    /// </summary>
    public BenchLatency? WithUnanswered { get; init; }

    /// <summary>Open loop: the 99th percentile of how late requests were sent. It is part of the latencies.</summary>
    public double? SendDelayP99Milliseconds { get; init; }

    /// <summary>What the server's metrics say of the time; null if they could not be read.</summary>
    public BenchServer? Server { get; init; }

    /// <summary>Each target by itself, where there are several.</summary>
    public IReadOnlyDictionary<string, BenchTarget>? ByTarget { get; init; }

    /// <summary>Quantiles for plots: the part, and its latency.</summary>
    public IReadOnlyList<double[]> Quantiles { get; init; } = [];

    /// <summary>A measurement as a point.</summary>
    public static BenchPoint Of(double load, bool isOpen, LoadFigures figures, IReadOnlyList<string> targets)
    {
        ArgumentNullException.ThrowIfNull(figures);
        ArgumentNullException.ThrowIfNull(targets);
        var (seen, latency) = (figures.Seen, figures.Seen.Latency);
        return new BenchPoint
        {
            Load = load,
            PerSecond = Round(seen.AnswersPerSecond),
            GoodPerSecond = Round(seen.GoodPerSecond),
            MeanMilliseconds = Round(latency.Mean.TotalMilliseconds),
            P50Milliseconds = Quantile(latency, .5),
            P90Milliseconds = Quantile(latency, .9),
            P95Milliseconds = Quantile(latency, .95),
            P99Milliseconds = Quantile(latency, .99),
            MaxMilliseconds = Round(latency.Max.TotalMilliseconds),
            Answers = seen.Answers,
            Errors = seen.ErrorsByKind().ToDictionary(),
            FirstError = seen.FirstError,
            RefusedP99Milliseconds = seen.RefusalLatency.Count > 0 ? Quantile(seen.RefusalLatency, .99) : null,
            Windows = figures.Windows,
            IsStable = figures.IsStable,
            ClientCores = Round(figures.ClientCores),
            ClientBusy = Round(figures.ThreadBusy),
            IsClientTheLimit = figures.IsClientTheLimit,
            Backlog = seen.Backlog,
            Unanswered = figures.Unanswered.Count,
            WithUnanswered = figures.Unanswered.Count > 0 ? WithThose(latency, figures.Unanswered) : null,
            SendDelayP99Milliseconds = isOpen ? Quantile(seen.SendDelay, .99) : null,
            Server = figures.Server is { } server ? BenchServer.Of(server) : null,
            ByTarget = targets.Count < 2 ? null : targets.Select((name, at) => (name, seen.LatencyByTarget[at])).ToDictionary(
                target => target.name,
                target => new BenchTarget(Round(target.Item2.Count / Math.Max(seen.Elapsed.TotalSeconds, 1e-9)), Quantile(target.Item2, .5), Quantile(target.Item2, .99))),
            Quantiles = [.. QuantileParts.Select(part => (double[])[part, Quantile(latency, part)])],
        };
    }

    private static BenchLatency WithThose(LatencyHistogram answered, LatencyHistogram unanswered)
    {
        var all = new LatencyHistogram();
        all.Add(answered);
        all.Add(unanswered);
        return new BenchLatency(Round(all.Mean.TotalMilliseconds), Quantile(all, .5), Quantile(all, .9), Quantile(all, .95), Quantile(all, .99), Round(all.Max.TotalMilliseconds));
    }

    private static readonly double[] QuantileParts = [0, .05, .1, .2, .3, .4, .5, .6, .7, .8, .9, .95, .98, .99, .995, .999, 1];

    private static double Quantile(LatencyHistogram latency, double part) => Round(latency.Quantile(part).TotalMilliseconds);

    private static double Round(double value) => Math.Round(value, 4);
}

/// <summary>Latencies in milliseconds.</summary>
public sealed record BenchLatency(double MeanMilliseconds, double P50Milliseconds, double P90Milliseconds, double P95Milliseconds, double P99Milliseconds, double MaxMilliseconds);

/// <summary>One target of several.</summary>
public sealed record BenchTarget(double PerSecond, double P50Milliseconds, double P99Milliseconds);

/// <summary>What the server's metrics say.</summary>
public sealed record BenchServer
{
    /// <summary>Mean milliseconds of a request in each stage, in order.</summary>
    public required IReadOnlyDictionary<string, double> StageMilliseconds { get; init; }

    public required double MeanBatch { get; init; }

    /// <summary>Share of the time in which a worker's device executed for it, the mean of the workers.</summary>
    public required double DeviceBusy { get; init; }

    /// <summary>The same for each worker, least first; empty where the load did not last long enough to tell.</summary>
    public required IReadOnlyList<double> WorkersBusy { get; init; }

    public required double FrontendCores { get; init; }

    public required long WorkerMemoryBytes { get; init; }

    public required IReadOnlyDictionary<string, long> Rejected { get; init; }

    internal static BenchServer Of(ServerSide.ServerFigures figures) => new()
    {
        StageMilliseconds = figures.Stages.ToDictionary(stage => stage.Stage, stage => Math.Round(stage.Mean.TotalMilliseconds, 4)),
        MeanBatch = Math.Round(figures.MeanBatch, 2),
        DeviceBusy = Math.Round(figures.DeviceBusy, 3),
        WorkersBusy = [.. figures.WorkersBusy.Select(share => Math.Round(share, 3))],
        FrontendCores = Math.Round(figures.FrontendCores, 3),
        WorkerMemoryBytes = figures.WorkerMemoryBytes,
        Rejected = figures.Rejected,
    };
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(BenchReport))]
internal sealed partial class BenchJson : JsonSerializerContext;
