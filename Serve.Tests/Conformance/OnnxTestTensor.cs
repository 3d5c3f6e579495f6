using System.Runtime.InteropServices;
using Serve.Core.Handlers;
using Serve.Core.Onnx.Format;
using Serve.Core.Tensors;
using Serve.Tests.Worker;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Tests.Conformance;

/// <summary>A value of the suite as a tensor of the Open Inference Protocol, and how near an answer must come to it.</summary>
/// <param name="Tensor">The tensor.</param>
internal sealed record OnnxTestTensor(TestTensor Tensor)
{
    /// <summary>The suite's own: how far a number may be from the one that is expected, as a share of that, and absolute.</summary>
    private const double Relative = 1e-3;

    private const double Absolute = 1e-5;

    /// <summary>Whether JSON can carry it.</summary>
    public bool FitsJson => Tensor.Element switch
    {
        TensorElement.Float16 or TensorElement.BFloat16 => false,
        TensorElement.Float32 or TensorElement.Float64 => Numbers(Tensor)!.All(double.IsFinite),
        _ => true,
    };

    /// <summary>Reads a value.</summary>
    /// <param name="file">The suite's file.</param>
    /// <param name="name">What the model calls it.</param>
    /// <param name="declared">The type that the model declares: NumPy, which wrote the suite, has no BFLOAT16 and calls its bits UINT16.</param>
    public static OnnxTestTensor Read(string file, string name, DataType declared)
    {
        var proto = TensorProto.Parser.ParseFrom(File.ReadAllBytes(file));
        var element = ElementOf(declared == DataType.Bfloat16 ? declared : (DataType)proto.DataType);
        return new OnnxTestTensor(new TestTensor(name, element, [.. proto.Dims], Data(proto, element)));
    }

    /// <summary>What is wrong with an answer's datatype or shape; null: nothing.</summary>
    public string? KindFault(TestTensor? answer)
    {
        if (answer is null) return $"{Tensor.Name} is missing";
        var isOfKind = answer.Element == Tensor.Element && answer.Shape.AsSpan().SequenceEqual(Tensor.Shape);
        return isOfKind ? null : $"{Tensor.Name} is {TensorText.Of(answer.Element, answer.Shape)} instead of {TensorText.Of(Tensor.Element, Tensor.Shape)}";
    }

    /// <summary>What is wrong with an answer; null: nothing.</summary>
    public string? Fault(TestTensor? answer)
    {
        if (KindFault(answer) is { } fault) return fault;
        if (answer!.Data.AsSpan().SequenceEqual(Tensor.Data)) return null;
        return Numbers(answer) is { } numbers && Numbers(Tensor) is { } expected ? FarthestFault(numbers, expected) : $"{Tensor.Name} is {answer} instead of {Tensor}";
    }

    private string? FarthestFault(double[] numbers, double[] expected)
    {
        // A sum of large numbers that comes to nothing is no nearer to it than they are exact.
        var absolute = Absolute * Math.Max(1, expected.Where(double.IsFinite).Select(Math.Abs).DefaultIfEmpty().Max());
        for (var i = 0; i < numbers.Length; i++)
        {
            if (numbers[i].Equals(expected[i])) continue;

            // A 16-bit number is no nearer to any other than its last bit.
            var relative = Tensor.Element switch { TensorElement.Float16 => 2 * Relative, TensorElement.BFloat16 => 8 * Relative, _ => Relative };
            if (Math.Abs(numbers[i] - expected[i]) <= absolute + (relative * Math.Abs(expected[i]))) continue;
            return $"{Tensor.Name}: element {i} is {numbers[i]} instead of {expected[i]}";
        }

        return null;
    }

    private static double[]? Numbers(TestTensor tensor) => tensor.Element switch
    {
        TensorElement.Float32 => [.. MemoryMarshal.Cast<byte, float>(tensor.Data).ToArray().Select(value => (double)value)],
        TensorElement.Float64 => MemoryMarshal.Cast<byte, double>(tensor.Data).ToArray(),
        TensorElement.Float16 => [.. MemoryMarshal.Cast<byte, Half>(tensor.Data).ToArray().Select(value => (double)value)],
        TensorElement.BFloat16 => [.. MemoryMarshal.Cast<byte, ushort>(tensor.Data).ToArray().Select(value => (double)BitConverter.Int32BitsToSingle(value << 16))],
        _ => null,
    };

    private static byte[] Data(TensorProto proto, TensorElement element)
    {
        if (element == TensorElement.String)
        {
            var strings = new System.Buffers.ArrayBufferWriter<byte>();
            foreach (var text in proto.StringData) BytesElements.Write(strings, text.Span);
            return strings.WrittenSpan.ToArray();
        }

        if (proto.HasRawData) return proto.RawData.ToByteArray();
        return element switch
        {
            TensorElement.Float32 => Bytes<float>([.. proto.FloatData]),
            TensorElement.Float64 => Bytes<double>([.. proto.DoubleData]),
            TensorElement.Int64 => Bytes<long>([.. proto.Int64Data]),
            TensorElement.UInt64 => Bytes<ulong>([.. proto.Uint64Data]),
            TensorElement.UInt32 => Bytes<uint>([.. proto.Uint64Data.Select(value => (uint)value)]),
            TensorElement.Int32 => Bytes<int>([.. proto.Int32Data]),
            TensorElement.Int16 => Bytes<short>([.. proto.Int32Data.Select(value => (short)value)]),
            TensorElement.UInt16 or TensorElement.Float16 or TensorElement.BFloat16 => Bytes<ushort>([.. proto.Int32Data.Select(value => (ushort)value)]),
            _ => [.. proto.Int32Data.Select(value => (byte)value)],
        };
    }

    private static byte[] Bytes<T>(ReadOnlySpan<T> values)
        where T : unmanaged => MemoryMarshal.AsBytes(values).ToArray();

    private static TensorElement ElementOf(DataType type) => type switch
    {
        DataType.Bool => TensorElement.Bool,
        DataType.Uint8 => TensorElement.UInt8,
        DataType.Uint16 => TensorElement.UInt16,
        DataType.Uint32 => TensorElement.UInt32,
        DataType.Uint64 => TensorElement.UInt64,
        DataType.Int8 => TensorElement.Int8,
        DataType.Int16 => TensorElement.Int16,
        DataType.Int32 => TensorElement.Int32,
        DataType.Int64 => TensorElement.Int64,
        DataType.Float16 => TensorElement.Float16,
        DataType.Bfloat16 => TensorElement.BFloat16,
        DataType.Float => TensorElement.Float32,
        DataType.Double => TensorElement.Float64,
        DataType.String => TensorElement.String,
        _ => throw new NotSupportedException($"a value of type {type}"),
    };
}
