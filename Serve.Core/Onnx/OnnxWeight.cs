using Serve.Core.Onnx.Format;

namespace Serve.Core.Onnx;

/// <summary>An initializer whose values lie in the data file beside the model: where, how long, of which type.</summary>
/// <param name="Name">Its name in the graph.</param>
/// <param name="Shape">Its dimensions, row-major.</param>
/// <param name="Type"><c>FLOAT</c> or <c>FLOAT16</c>: what weights come in.</param>
/// <param name="OffsetBytes">Where it begins in the data file, a multiple of <see cref="OnnxModel.DataAlignmentBytes"/>.</param>
internal sealed record OnnxWeight(string Name, IReadOnlyList<long> Shape, TensorProto.Types.DataType Type, long OffsetBytes)
{
    public long ElementCount { get; } = Shape.Aggregate(1L, (product, size) => checked(product * size));

    public int ElementBytes => Type is TensorProto.Types.DataType.Float16 ? 2 : 4;

    public long LengthBytes => ElementCount * ElementBytes;
}
