using Serve.LoadGenerator.Load;

namespace Serve.LoadGenerator.Measurement;

/// <summary>What a load has seen in a stretch of time. One writer at a time.</summary>
public sealed class LoadWindow
{
    private const int Statuses = 600;

    private readonly long[] _byStatus = new long[Statuses];
    private readonly long[] _byFault = new long[Enum.GetValues<LoadFault>().Length];
    private readonly LatencyHistogram[] _byTarget;
    private long _failures;

    /// <param name="targets">How many targets the load has.</param>
    public LoadWindow(int targets) => _byTarget = [.. Enumerable.Range(0, targets).Select(_ => new LatencyHistogram())];

    /// <summary>How long it was.</summary>
    public TimeSpan Elapsed { get; set; }

    /// <summary>How long the load's threads waited for something to do, of <see cref="Elapsed"/> for each.</summary>
    public TimeSpan Waited { get; set; }

    /// <summary>CPU time of this process meanwhile.</summary>
    public TimeSpan Cpu { get; set; }

    /// <summary>Latencies of the answers with a status of 2xx: from the first byte sent, in an open loop from the scheduled arrival.</summary>
    public LatencyHistogram Latency { get; } = new();

    /// <summary>Latencies of the answers that refuse because too much arrives: 429 and 503.</summary>
    public LatencyHistogram RefusalLatency { get; } = new();

    /// <summary>How much later than scheduled requests were sent, in an open loop.</summary>
    public LatencyHistogram SendDelay { get; } = new();

    /// <summary>Good answers within the objective.</summary>
    public long WithinObjective { get; private set; }

    /// <summary>Requests that had arrived at the end of the window, and waited for a connection.</summary>
    public long Backlog { get; set; }

    /// <summary>The same latencies as <see cref="Latency"/> for each target.</summary>
    public IReadOnlyList<LatencyHistogram> LatencyByTarget => _byTarget;

    /// <summary>Good answers.</summary>
    public long Answers => Latency.Count;

    /// <summary>Answers with another status, and requests without an answer.</summary>
    public long Errors => _failures + _byFault.Sum();

    /// <summary>What the first refused or malformed answer said.</summary>
    public string? FirstError { get; private set; }

    /// <summary>Good answers per second.</summary>
    public double AnswersPerSecond => Elapsed > TimeSpan.Zero ? Answers / Elapsed.TotalSeconds : 0;

    /// <summary>Good answers per second that came within the objective.</summary>
    public double GoodPerSecond => Elapsed > TimeSpan.Zero ? WithinObjective / Elapsed.TotalSeconds : 0;

    /// <summary>How many errors there were, by what people call them.</summary>
    public IEnumerable<KeyValuePair<string, long>> ErrorsByKind()
    {
        for (var fault = 0; fault < _byFault.Length; fault++)
        {
            if (_byFault[fault] > 0) yield return new(NameOf((LoadFault)fault), _byFault[fault]);
        }

        for (var status = 0; status < Statuses; status++)
        {
            if (_byStatus[status] > 0 && status is < 200 or > 299) yield return new(status.ToString(System.Globalization.CultureInfo.InvariantCulture), _byStatus[status]);
        }
    }

    /// <summary>An answer is complete.</summary>
    public void AddAnswer(int target, int status, TimeSpan latency, TimeSpan? objective)
    {
        _byStatus[status]++;
        if (status is < 200 or > 299)
        {
            _failures++;
            if (status is 429 or 503) RefusalLatency.Record(latency);
            return;
        }

        Latency.Record(latency);
        if (_byTarget.Length > 1) _byTarget[target].Record(latency);
        if (objective is null || latency <= objective) WithinObjective++;
    }

    /// <summary>A request ended without an answer.</summary>
    public void AddFault(LoadFault fault) => _byFault[(int)fault]++;

    /// <summary>What an error said; the first one is kept.</summary>
    public void Explain(string words) => FirstError ??= words;

    /// <summary>Adds another stretch, of the same load.</summary>
    public void Add(LoadWindow other)
    {
        ArgumentNullException.ThrowIfNull(other);
        for (var i = 0; i < Statuses; i++) _byStatus[i] += other._byStatus[i];
        for (var i = 0; i < _byFault.Length; i++) _byFault[i] += other._byFault[i];
        for (var i = 0; i < _byTarget.Length; i++) _byTarget[i].Add(other._byTarget[i]);
        Latency.Add(other.Latency);
        _failures += other._failures;
        RefusalLatency.Add(other.RefusalLatency);
        SendDelay.Add(other.SendDelay);
        WithinObjective += other.WithinObjective;
        Elapsed += other.Elapsed;
        Waited += other.Waited;
        Cpu += other.Cpu;
        Backlog = other.Backlog;
        FirstError ??= other.FirstError;
    }

    private static string NameOf(LoadFault fault) => fault switch
    {
        LoadFault.Refused => "connection refused",
        LoadFault.Closed => "connection closed",
        LoadFault.Timeout => "timeout",
        _ => "malformed response",
    };
}
