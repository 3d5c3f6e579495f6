namespace Serve.Core.Models.Creation;

/// <summary>Which operators a created model is written in. The results are the same within rounding.</summary>
public enum OperatorForm
{
    /// <summary>ONNX's own: every runtime reads them.</summary>
    Plain,

    /// <summary>
    /// ONNX Runtime's, where it has one for several of ONNX's (attention, the sum before a layer norm, GELU), with kernels that
    /// its own fusion would not always find. Only ONNX Runtime reads them.
    /// </summary>
    Fused,
}
