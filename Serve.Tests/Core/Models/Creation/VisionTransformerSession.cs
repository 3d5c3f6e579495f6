using Microsoft.ML.OnnxRuntime;
using Serve.Core.Models.Creation;

namespace Serve.Tests.Core.Models.Creation;

/// <summary>A model file in ONNX Runtime, pixels in and logits out.</summary>
internal sealed class VisionTransformerSession : IDisposable
{
    private readonly InferenceSession _session;
    private readonly RunOptions _run = new();

    public VisionTransformerSession(string modelFile, GraphOptimizationLevel level = GraphOptimizationLevel.ORT_ENABLE_ALL)
    {
        using var options = new SessionOptions { GraphOptimizationLevel = level, IntraOpNumThreads = 1 };
        _session = new InferenceSession(modelFile, options);
    }

    public IReadOnlyDictionary<string, NodeMetadata> Inputs => _session.InputMetadata;

    public IReadOnlyDictionary<string, NodeMetadata> Outputs => _session.OutputMetadata;

    public float[] Logits(float[] pixels, int batch, int imageSize)
    {
        using var input = OrtValue.CreateTensorValueFromMemory(pixels, [batch, 3, imageSize, imageSize]);
        using var outputs = _session.Run(_run, [VisionTransformerGraph.InputName], [input], [VisionTransformerGraph.OutputName]);
        return outputs[0].GetTensorDataAsSpan<float>().ToArray();
    }

    public void Dispose()
    {
        _run.Dispose();
        _session.Dispose();
    }
}
