namespace Serve.Core.Onnx;

/// <summary>What a model file says about itself.</summary>
/// <param name="OperatorSet">The version of ONNX's own operators that the nodes mean.</param>
/// <param name="IrVersion">The version of the file format; each operator set appeared with one (17 with 8).</param>
/// <param name="Producer">Who wrote it.</param>
/// <param name="Description">For people.</param>
internal sealed record OnnxModelHeader(long OperatorSet, long IrVersion, string Producer, string Description);
