using Microsoft.ML.OnnxRuntime;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Worker.Execution.Loading;

namespace Serve.Worker.Execution;

/// <summary>A loaded model: one session, which any number of device threads run at once over one copy of the weights.</summary>
internal sealed class OnnxModel : IDisposable
{
    private readonly InferenceSession _session;
    private readonly string[] _inputNames;
    private readonly string[] _outputNames;

    private OnnxModel(InferenceSession session, SessionPlan plan)
    {
        _session = session;
        Signature = SignatureReader.Read(session);
        _inputNames = [.. Signature.Inputs.Select(input => input.Name)];
        _outputNames = [.. Signature.Outputs.Select(output => output.Name)];
        Device = plan.Device;
        Notes = [.. plan.Notes];
        if (Signature.Batching == RowBatching.FixedOne)
        {
            Notes.Add("the model was exported with a fixed batch of one: rows run one by one; re-export with a dynamic batch");
        }
    }

    public ModelSignature Signature { get; private set; }

    /// <summary>For example <c>cpu:0</c>.</summary>
    public string Device { get; }

    /// <summary>Sentences for whoever describes the model.</summary>
    public List<string> Notes { get; }

    /// <exception cref="InvalidModelException">The file is not there, damaged, or of a kind that cannot be served; or its device is not there.</exception>
    /// <exception cref="OutOfResourcesException">The device's memory does not suffice; another try may.</exception>
    public static OnnxModel Load(string file, SessionPlan plan) => Of(new SessionOpener().Open(ModelDefinition.Of(file), plan), plan);

    /// <summary>A model whose session was made with a plan's options.</summary>
    /// <exception cref="InvalidModelException">It is of a kind that cannot be served.</exception>
    public static OnnxModel Of(OpenedSession opened, SessionPlan plan)
    {
        var session = opened.Session;
        try
        {
            return new OnnxModel(session, plan);
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    /// <summary>Only on a thread that stays for the worker's life.</summary>
    public BatchOutputs Run(IReadOnlyList<OrtValue> inputs, int rows, RunOptions options) =>
        new(Signature, _session.Run(options, _inputNames, inputs, _outputNames), rows);

    /// <summary>Warmup found that the first dimension, although dynamic, is no batch: each request runs alone from now on.</summary>
    public void ServeWithoutBatching(string why)
    {
        Signature = Signature with { Batching = RowBatching.None };
        Notes.Add($"requests run one by one: {why}");
    }

    public void Dispose() => _session.Dispose();
}
