using Microsoft.ML.OnnxRuntime;
using Serve.Core.Observability;

namespace Serve.Worker.Execution.Loading;

/// <summary>Names an optimized graph by everything that it depends on: the model, how it was rewritten, options, ONNX Runtime, Serve and the machine.</summary>
internal static class OptimizedModelKey
{
    /// <summary>The form of the entries: a change of it makes all of them foreign.</summary>
    private const string Form = "serve optimized model 1";

    public static string Of(ModelDefinition definition, SessionPlan plan)
    {
        using var fingerprint = new ContentFingerprint();
        fingerprint.Add(Form);
        fingerprint.Add(ServeVersion.Text);
        fingerprint.Add(OrtEnv.Instance().GetVersionString());
        fingerprint.Add(MachineFingerprint.Current);
        fingerprint.Add(plan.Fingerprint);
        fingerprint.Add(definition.Rewriting);
        fingerprint.AddFile(definition.File);
        foreach (var data in definition.DataFiles) fingerprint.AddFile(data);
        return fingerprint.Finish()[..40];
    }
}
