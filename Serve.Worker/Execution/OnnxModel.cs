using System.Globalization;
using Microsoft.ML.OnnxRuntime;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Scheduling;
using Serve.Worker.Execution.Graphs;
using Serve.Worker.Execution.Loading;

namespace Serve.Worker.Execution;

/// <summary>A loaded model: one session, which any number of device threads run at once over one copy of the weights.</summary>
internal sealed class OnnxModel : IDisposable
{
    private readonly InferenceSession _session;
    private readonly string[] _inputNames;
    private readonly string[] _outputNames;
    private readonly PinnedMemory? _pinned;
    private CudaGraphs? _graphs;
    private volatile bool _hasKnownOutputs;

    private OnnxModel(InferenceSession session, SessionPlan plan, BatchDimension batch)
    {
        _session = session;
        Signature = SignatureReader.Read(session, batch, out var noBatch);
        _inputNames = [.. Signature.Inputs.Select(input => input.Name)];
        _outputNames = [.. Signature.Outputs.Select(output => output.Name)];
        Device = plan.Device;
        IsOnGpu = Device.StartsWith("gpu:", StringComparison.Ordinal);
        BoundsRows = plan.UsesTensorRt;
        Notes = [.. plan.Notes];
        if (noBatch is not null) Notes.Add(noBatch);
        if (IsOnGpu) _pinned = TryPin(session, int.Parse(Device.AsSpan(4), CultureInfo.InvariantCulture));
        if (Signature.Batching == RowBatching.FixedOne)
        {
            Notes.Add("the model was exported with a fixed batch of one: rows run one by one; re-export with a dynamic batch");
        }
    }

    public ModelSignature Signature { get; private set; }

    /// <summary>For example <c>cpu:0</c>.</summary>
    public string Device { get; }

    public bool IsOnGpu { get; }

    /// <summary>Whether a batch may not be larger than the configuration says: TensorRT's engines are built for that much.</summary>
    public bool BoundsRows { get; }

    /// <summary>Sentences for whoever describes the model.</summary>
    public List<string> Notes { get; }

    /// <exception cref="InvalidModelException">The file is not there, damaged, or of a kind that cannot be served; or its device is not there.</exception>
    /// <exception cref="OutOfResourcesException">The device's memory does not suffice; another try may.</exception>
    public static OnnxModel Load(string file, SessionPlan plan, BatchDimension batch = BatchDimension.Auto) => Of(new SessionOpener().Open(ModelDefinition.Of(file), plan), plan, batch);

    /// <summary>A model whose session was made with a plan's options.</summary>
    /// <exception cref="InvalidModelException">It is of a kind that cannot be served.</exception>
    public static OnnxModel Of(OpenedSession opened, SessionPlan plan, BatchDimension batch)
    {
        var session = opened.Session;
        try
        {
            return new OnnxModel(session, plan, batch);
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    /// <summary>Memory for rows: page-locked where a GPU reads it, and ordinary when there is no more of that; the GPU then waits for its copy.</summary>
    public RowMemory AllocateRows(long bytes) => _pinned?.TryAllocate(bytes) ?? RowMemory.Allocate(bytes);

    /// <summary>Whether batches are recorded as CUDA graphs and replayed.</summary>
    public bool HasGraphs => _graphs is not null;

    /// <summary>From now on batches are replayed from graphs, once it is known what outputs are like. Only one thread may run the model.</summary>
    /// <param name="buckets">The sizes of graphs.</param>
    /// <param name="memory">Memory of the session's device; the model's from now on.</param>
    /// <exception cref="InvalidModelException">Shapes are not the same in every run.</exception>
    public void UseGraphs(BatchBuckets buckets, IDeviceMemory memory)
    {
        _graphs = new CudaGraphs(_session, Signature, buckets, memory);
        Notes.Add($"CUDA graphs for batches of {string.Join(", ", buckets.Sizes.ToArray())}; one batch at a time (instances: 1)");
    }

    /// <summary>The graph for batches of a size; null: they run without.</summary>
    public CudaGraph? GraphOf(int size) => _hasKnownOutputs ? _graphs?.Of(size) : null;

    /// <summary>Options of runs without a graph.</summary>
    public RunOptions CreateRunOptions() => HasGraphs ? CudaGraphs.WithoutGraph() : new RunOptions();

    /// <summary>Executes rows of a slab. Only on a thread that stays for the worker's life.</summary>
    /// <returns>The outputs; null when they lie in the rows' slots.</returns>
    public BatchOutputs? Run(BatchView view, RunOptions options)
    {
        if (!_hasKnownOutputs || !view.Layout.HasFixedOutputs)
        {
            var outputs = Run(view.Inputs, view.Rows, options);
            LearnOutputs(view, outputs);
            return outputs;
        }

        // A binding copies inputs to another device when it is made, not when it runs: for a GPU the tensors are handed over
        // each time.
        if (!IsOnGpu) _session.RunWithBinding(options, view.Bind(_session));
        else _session.Run(options, _inputNames, view.Inputs, _outputNames, view.Outputs);
        return null;
    }

    /// <summary>Executes a batch with outputs in ONNX Runtime's own memory. Only on a thread that stays for the worker's life.</summary>
    public BatchOutputs Run(IReadOnlyList<OrtValue> inputs, int rows, RunOptions options, bool isWhole = false) =>
        new(Signature, _session.Run(options, _inputNames, inputs, _outputNames), rows, isWhole);

    /// <summary>Warmup found that the first dimension, although dynamic, is no batch: each request runs alone from now on.</summary>
    public void ServeWithoutBatching(string why)
    {
        Signature = Signature with { Batching = RowBatching.None };

        // What was seen was seen of batches.
        _hasKnownOutputs = false;
        Notes.Add($"requests run one by one: {why}");
    }

    public void Dispose()
    {
        _graphs?.Dispose();
        _pinned?.Dispose();
        _session.Dispose();
    }

    // Whether outputs are what the signature says is seen, not believed: of a batch of one, a first dimension that is no
    // batch looks like one.
    private void LearnOutputs(BatchView view, BatchOutputs outputs)
    {
        var layout = view.Layout;
        if (!layout.HasFixedOutputs || (Signature.Batching == RowBatching.Dynamic && view.Rows < 2 && view.MostRows > 1)) return;
        for (var i = 0; i < _outputNames.Length; i++)
        {
            if (!outputs.Shape(i).SequenceEqual(layout.OutputShape(i, view.Rows))) return;
        }

        _hasKnownOutputs = true;
    }

    private PinnedMemory? TryPin(InferenceSession session, int device)
    {
        try
        {
            return new PinnedMemory(session, device);
        }
        catch (OnnxRuntimeException e)
        {
            Notes.Add($"page-locked memory cannot be had, so the device waits for its inputs to be copied: {RuntimeFailure.Describe(e)}");
            return null;
        }
    }
}
