namespace Serve.Core.Onnx;

/// <summary>
/// Where a model's weights come from while it is written. Asked for pieces, so that no tensor need be in memory whole.
/// </summary>
internal interface IWeightSource
{
    /// <summary>
    /// Fills <paramref name="destination"/> with the values from <paramref name="firstElement"/> on, in row-major order.
    /// Called from several threads at once, in any order; the answer depends on nothing but the arguments.
    /// </summary>
    void Fill(OnnxWeight weight, long firstElement, Span<float> destination);
}
