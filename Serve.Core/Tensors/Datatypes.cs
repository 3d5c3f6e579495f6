using Serve.Core.Handlers;

namespace Serve.Core.Tensors;

/// <summary>The Open Inference Protocol's names of element types: <c>FP32</c>, <c>INT64</c>, <c>BYTES</c> and so on.</summary>
public static class Datatypes
{
    /// <summary>The longest name's characters.</summary>
    internal const int LongestName = 6;

    /// <summary>All element types, in the order in which messages list them.</summary>
    public static IReadOnlyList<TensorElement> All { get; } = Enum.GetValues<TensorElement>();

    /// <summary>The protocol's name of an element type.</summary>
    /// <param name="element">The element type.</param>
    public static string Datatype(this TensorElement element) => element switch
    {
        TensorElement.Bool => "BOOL",
        TensorElement.UInt8 => "UINT8",
        TensorElement.UInt16 => "UINT16",
        TensorElement.UInt32 => "UINT32",
        TensorElement.UInt64 => "UINT64",
        TensorElement.Int8 => "INT8",
        TensorElement.Int16 => "INT16",
        TensorElement.Int32 => "INT32",
        TensorElement.Int64 => "INT64",
        TensorElement.Float16 => "FP16",
        TensorElement.BFloat16 => "BF16",
        TensorElement.Float32 => "FP32",
        TensorElement.Float64 => "FP64",
        TensorElement.String => "BYTES",
        _ => throw new ArgumentOutOfRangeException(nameof(element), element, null),
    };

    /// <summary>The element type that a name means; names are exact, capitals included.</summary>
    /// <param name="name">For example <c>FP32</c>.</param>
    /// <param name="element">The element type.</param>
    /// <returns>False: there is no such name.</returns>
    public static bool TryParse(ReadOnlySpan<char> name, out TensorElement element)
    {
        Span<byte> ascii = stackalloc byte[LongestName];
        element = default;
        if (name.Length > LongestName) return false;
        for (var i = 0; i < name.Length; i++)
        {
            if (!char.IsAscii(name[i])) return false;
            ascii[i] = (byte)name[i];
        }

        return TryParse(ascii[..name.Length], out element);
    }

    /// <inheritdoc cref="TryParse(ReadOnlySpan{char}, out TensorElement)"/>
    public static bool TryParse(ReadOnlySpan<byte> name, out TensorElement element)
    {
        TensorElement? found = name switch
        {
            _ when name.SequenceEqual("FP32"u8) => TensorElement.Float32,
            _ when name.SequenceEqual("INT64"u8) => TensorElement.Int64,
            _ when name.SequenceEqual("INT32"u8) => TensorElement.Int32,
            _ when name.SequenceEqual("BYTES"u8) => TensorElement.String,
            _ when name.SequenceEqual("UINT8"u8) => TensorElement.UInt8,
            _ when name.SequenceEqual("FP16"u8) => TensorElement.Float16,
            _ when name.SequenceEqual("FP64"u8) => TensorElement.Float64,
            _ when name.SequenceEqual("BOOL"u8) => TensorElement.Bool,
            _ when name.SequenceEqual("INT8"u8) => TensorElement.Int8,
            _ when name.SequenceEqual("INT16"u8) => TensorElement.Int16,
            _ when name.SequenceEqual("UINT16"u8) => TensorElement.UInt16,
            _ when name.SequenceEqual("UINT32"u8) => TensorElement.UInt32,
            _ when name.SequenceEqual("UINT64"u8) => TensorElement.UInt64,
            _ when name.SequenceEqual("BF16"u8) => TensorElement.BFloat16,
            _ => null,
        };
        element = found.GetValueOrDefault();
        return found is not null;
    }
}
