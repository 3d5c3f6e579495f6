using Serve.Core.Onnx.Format;

namespace Serve.Core.Onnx;

/// <summary>
/// A model ready to be written: its message, and the plan of the data file that holds its weights. Knows its exact
/// size on disk before a byte is written.
/// </summary>
/// <param name="Proto">What goes into the <c>.onnx</c> file.</param>
/// <param name="DataFileName">The data file's name, relative to the <c>.onnx</c> file, as the weights in it name it.</param>
/// <param name="Weights">The weights in the order in which they lie in the data file.</param>
internal sealed record OnnxModel(ModelProto Proto, string DataFileName, IReadOnlyList<OnnxWeight> Weights)
{
    /// <summary>A memory page, so that a runtime can map each weight instead of reading it (the specification's advice).</summary>
    public const int DataAlignmentBytes = 4096;

    public long DataFileBytes { get; } = Weights.Count == 0 ? 0 : Weights[^1].OffsetBytes + Weights[^1].LengthBytes;

    public long TotalBytes => Proto.CalculateSize() + DataFileBytes;
}
