using System.Text.Json.Serialization;

namespace Serve.Core.Protocol;

/// <summary>What <c>serve doctor</c> found out about a model.</summary>
/// <param name="Model">Its name.</param>
/// <param name="Version">Its version.</param>
/// <param name="Device">Where it was loaded: <c>cpu:0</c>, <c>gpu:0</c>.</param>
/// <param name="Providers">The execution providers in order.</param>
/// <param name="LoadMilliseconds">How long that took.</param>
/// <param name="Nodes">Nodes of the graph as it was exported.</param>
/// <param name="OptimizedNodes">Nodes that are left after optimization; null where the optimized graph cannot be had.</param>
/// <param name="WeightBytes">Bytes of weights.</param>
/// <param name="OperatorSet">The version of ONNX's operators.</param>
/// <param name="Findings">What is well and what is not, the dearest first.</param>
/// <param name="Notes">Sentences of the load.</param>
public sealed record DoctorReport(
    string Model,
    string Version,
    string Device,
    IReadOnlyList<string> Providers,
    long LoadMilliseconds,
    int Nodes,
    int? OptimizedNodes,
    long WeightBytes,
    long OperatorSet,
    IReadOnlyList<DoctorFinding> Findings,
    IReadOnlyList<string> Notes);

/// <summary>One thing about a model's graph.</summary>
/// <param name="Topic">What it is about, one word for scripts: <c>attention</c>, <c>layerNorm</c>, <c>precision</c>, …</param>
/// <param name="Severity">Whether something should be done.</param>
/// <param name="Summary">What was found.</param>
/// <param name="Cost">What it costs; null if nothing.</param>
/// <param name="Remedy">The command or step that mends it; null if nothing needs mending.</param>
public sealed record DoctorFinding(string Topic, FindingSeverity Severity, string Summary, string? Cost = null, string? Remedy = null);

/// <summary>Whether something should be done about a finding.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<FindingSeverity>))]
public enum FindingSeverity
{
    /// <summary>Costs a lot on this device.</summary>
    Warning,

    /// <summary>Could be better, or would cost on another device.</summary>
    Advice,

    /// <summary>As it should be.</summary>
    Good,
}
