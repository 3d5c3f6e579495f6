using Serve.Core.Configuration.Yaml;

namespace Serve.Core.Configuration;

/// <summary>
/// Keys of TorchServe's <c>model-config.yaml</c> that have no meaning here. One that would change how the model is served
/// is an error that says what to do instead; one that only chooses a technique, or that is switched off, is a warning.
/// </summary>
internal static class TorchServeKeys
{
    private static readonly (string Key, string Instead)[] Refused =
    [
        ("parallelType", "Serve does not split a model over devices; give each worker a device by deviceIds"),
        ("parallelLevel", "Serve does not split a model over devices; give each worker a device by deviceIds"),
        ("torchrun", "Serve starts its own workers and runs no Python; use minWorkers and deviceIds"),
        ("deepspeed", "Serve runs no Python; export the model to ONNX"),
        ("pippy", "Serve runs no Python; export the model to ONNX"),
        ("pt2", "torch.compile is not used here; ONNX Runtime optimizes the graph (execution.graphOptimization)"),
        ("useVenv", "Serve runs no Python, so there is no environment to make"),
        ("useJobTicket", "Serve refuses by the queue's length; set maxQueueSize to 1 to refuse early"),
        ("clientTimeoutInMills", "Serve drops requests whose client has left, and those past their deadline; use responseTimeout"),
        ("sequenceBatching", "Serve has no sequences of requests; keep their state in the client or in a handler"),
        ("sequenceMaxIdleMSec", "Serve has no sequences of requests"),
        ("sequenceTimeoutMSec", "Serve has no sequences of requests"),
        ("maxNumSequence", "Serve has no sequences of requests"),
        ("maxSequenceJobQueueSize", "Serve has no sequences of requests"),
        ("continuousBatching", "requests of ONNX models are batched as their workers have room (batching: adaptive)"),
    ];

    private static readonly (string Key, string Why)[] Ignored =
    [
        ("asyncCommunication", "workers always have a batch in flight and another being decoded"),
        ("micro_batching", "decoding always overlaps execution; decodeThreads sets the number of threads"),
    ];

    /// <summary>Keys that count something and are 1 in TorchServe where nobody has set them: one device, one sequence.</summary>
    private static readonly string[] OffAtOne = ["parallelLevel", "maxNumSequence", "maxSequenceJobQueueSize"];

    public static void Check(SettingsReader settings)
    {
        foreach (var (key, instead) in Refused)
        {
            if (settings.TakeSilently(key) is not { } value) continue;
            if (IsOff(key, value)) settings.Warn(key, "TorchServe's key has no meaning here and is ignored");
            else settings.Problem(key, $"{value.Describe()}: a key of TorchServe's that Serve does not have: {instead}. Remove it");
        }

        foreach (var (key, why) in Ignored)
        {
            if (settings.TakeSilently(key) is not null) settings.Warn(key, $"TorchServe's key is ignored: {why}");
        }
    }

    private static bool IsOff(string key, YamlNode value) =>
        value is YamlScalar { Text: "" or "false" or "False" or "FALSE" or "0" or "none" or "~" or "null" } || (value is YamlScalar { Text: "1" } && OffAtOne.Contains(key));
}
