using System.Globalization;
using System.Text.Json.Serialization;

namespace Serve.Frontend.Tuning;

/// <summary>What the tuner changes, in the order in which it tries it.</summary>
internal enum TuneDimension
{
    BatchSize,
    Instances,
    IntraOpThreads,
    Workers,
    Delay,
    DecodeThreads,
}

/// <summary>One way to run a model.</summary>
/// <param name="BatchSize">The most rows in a batch.</param>
/// <param name="Instances">Executions at once in a worker.</param>
/// <param name="Workers">Worker processes.</param>
/// <param name="DelayMilliseconds"><c>batching: delayed</c> with that <c>maxBatchDelay</c>; 0: adaptive.</param>
/// <param name="DecodeThreads">0: by the machine.</param>
/// <param name="IntraOpThreads">0: by the machine.</param>
internal sealed record TuneSetting(int BatchSize, int Instances, int Workers, int DelayMilliseconds = 0, int DecodeThreads = 0, int IntraOpThreads = 0)
{
    /// <summary>What it costs beside time, to choose among equals: memory first, then what a reader must think about.</summary>
    [JsonIgnore]
    public double Cost => (1000 * Workers) + (10 * Instances) + Math.Log2(BatchSize) + (DelayMilliseconds > 0 ? 5 : 0) + (DecodeThreads > 0 ? 1 : 0) + (IntraOpThreads > 0 ? 1 : 0);

    /// <summary>Its value in a dimension.</summary>
    public int Get(TuneDimension dimension) => dimension switch
    {
        TuneDimension.BatchSize => BatchSize,
        TuneDimension.Instances => Instances,
        TuneDimension.Workers => Workers,
        TuneDimension.Delay => DelayMilliseconds,
        TuneDimension.DecodeThreads => DecodeThreads,
        _ => IntraOpThreads,
    };

    /// <summary>The same with another value in a dimension.</summary>
    public TuneSetting With(TuneDimension dimension, int value) => dimension switch
    {
        TuneDimension.BatchSize => this with { BatchSize = value },
        TuneDimension.Instances => this with { Instances = value },
        TuneDimension.Workers => this with { Workers = value },
        TuneDimension.Delay => this with { DelayMilliseconds = value },
        TuneDimension.DecodeThreads => this with { DecodeThreads = value },
        _ => this with { IntraOpThreads = value },
    };

    /// <summary>Its keys in <c>model-config.yaml</c>.</summary>
    public IEnumerable<KeyValuePair<string, string>> ToYaml()
    {
        string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
        yield return new("batchSize", Text(BatchSize));
        yield return new("instances", Text(Instances));
        yield return new("minWorkers", Text(Workers));
        yield return new("maxWorkers", Text(Workers));
        yield return new("batching", DelayMilliseconds > 0 ? "delayed" : "adaptive");
        if (DelayMilliseconds > 0) yield return new("maxBatchDelay", Text(DelayMilliseconds));
        yield return new("decodeThreads", Text(DecodeThreads));
        yield return new("execution.intraOpThreads", Text(IntraOpThreads));
    }
}
