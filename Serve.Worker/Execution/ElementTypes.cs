using Microsoft.ML.OnnxRuntime.Tensors;
using Serve.Core.Handlers;

namespace Serve.Worker.Execution;

/// <summary>ONNX Runtime's element types and ours, both ways.</summary>
internal static class ElementTypes
{
    /// <summary>Null for the types without a .NET counterpart: complex numbers, 8-bit floats, 4-bit integers.</summary>
    public static TensorElement? FromOnnx(TensorElementType type) => type switch
    {
        TensorElementType.Bool => TensorElement.Bool,
        TensorElementType.UInt8 => TensorElement.UInt8,
        TensorElementType.UInt16 => TensorElement.UInt16,
        TensorElementType.UInt32 => TensorElement.UInt32,
        TensorElementType.UInt64 => TensorElement.UInt64,
        TensorElementType.Int8 => TensorElement.Int8,
        TensorElementType.Int16 => TensorElement.Int16,
        TensorElementType.Int32 => TensorElement.Int32,
        TensorElementType.Int64 => TensorElement.Int64,
        TensorElementType.Float16 => TensorElement.Float16,
        TensorElementType.BFloat16 => TensorElement.BFloat16,
        TensorElementType.Float => TensorElement.Float32,
        TensorElementType.Double => TensorElement.Float64,
        TensorElementType.String => TensorElement.String,
        _ => null,
    };

    public static TensorElementType ToOnnx(TensorElement element) => element switch
    {
        TensorElement.Bool => TensorElementType.Bool,
        TensorElement.UInt8 => TensorElementType.UInt8,
        TensorElement.UInt16 => TensorElementType.UInt16,
        TensorElement.UInt32 => TensorElementType.UInt32,
        TensorElement.UInt64 => TensorElementType.UInt64,
        TensorElement.Int8 => TensorElementType.Int8,
        TensorElement.Int16 => TensorElementType.Int16,
        TensorElement.Int32 => TensorElementType.Int32,
        TensorElement.Int64 => TensorElementType.Int64,
        TensorElement.Float16 => TensorElementType.Float16,
        TensorElement.BFloat16 => TensorElementType.BFloat16,
        TensorElement.Float32 => TensorElementType.Float,
        TensorElement.Float64 => TensorElementType.Double,
        TensorElement.String => TensorElementType.String,
        _ => throw new ArgumentOutOfRangeException(nameof(element), element, null),
    };
}
