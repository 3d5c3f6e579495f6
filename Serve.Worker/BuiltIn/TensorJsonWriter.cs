using System.Runtime.InteropServices;
using System.Text.Json;
using Serve.Core.Handlers;

namespace Serve.Worker.BuiltIn;

/// <summary>
/// Writes one tensor as nested JSON lists. JSON has no NaN and no infinities: they are the strings <c>"NaN"</c>,
/// <c>"Infinity"</c> and <c>"-Infinity"</c>, which the reader takes as well.
/// </summary>
internal static class TensorJsonWriter
{
    public static void Write(Utf8JsonWriter json, OutputRow row, TensorInfo output)
    {
        var shape = row.Shape(output.Name);
        if (output.ElementType == TensorElement.String)
        {
            WriteNested(json, shape, row.Strings(output.Name).ToArray().AsSpan(), static (json, value) => json.WriteStringValue(value));
            return;
        }

        var bytes = row.Bytes(output.Name);
        switch (output.ElementType)
        {
            case TensorElement.Float32: Numbers<float>(json, shape, bytes, WriteSingle); break;
            case TensorElement.Float64: Numbers<double>(json, shape, bytes, WriteDouble); break;
            case TensorElement.Float16: Numbers<Half>(json, shape, bytes, WriteHalf); break;
            case TensorElement.BFloat16: Numbers<ushort>(json, shape, bytes, static (json, value) => WriteSingle(json, BrainFloat.ToSingle(value))); break;
            case TensorElement.Int64: Numbers<long>(json, shape, bytes, static (json, value) => json.WriteNumberValue(value)); break;
            case TensorElement.UInt64: Numbers<ulong>(json, shape, bytes, static (json, value) => json.WriteNumberValue(value)); break;
            case TensorElement.Int32: Numbers<int>(json, shape, bytes, static (json, value) => json.WriteNumberValue(value)); break;
            case TensorElement.UInt32: Numbers<uint>(json, shape, bytes, static (json, value) => json.WriteNumberValue(value)); break;
            case TensorElement.Int16: Numbers<short>(json, shape, bytes, static (json, value) => json.WriteNumberValue(value)); break;
            case TensorElement.UInt16: Numbers<ushort>(json, shape, bytes, static (json, value) => json.WriteNumberValue(value)); break;
            case TensorElement.Int8: Numbers<sbyte>(json, shape, bytes, static (json, value) => json.WriteNumberValue(value)); break;
            case TensorElement.UInt8: Numbers<byte>(json, shape, bytes, static (json, value) => json.WriteNumberValue(value)); break;
            case TensorElement.Bool: Numbers<byte>(json, shape, bytes, static (json, value) => json.WriteBooleanValue(value != 0)); break;
            default: throw new InvalidOperationException($"Output '{output.Name}' has elements of type {output.ElementType}.");
        }
    }

    private static void Numbers<T>(Utf8JsonWriter json, ReadOnlySpan<long> shape, ReadOnlySpan<byte> bytes, Action<Utf8JsonWriter, T> write)
        where T : unmanaged => WriteNested(json, shape, MemoryMarshal.Cast<byte, T>(bytes), write);

    private static void WriteNested<T>(Utf8JsonWriter json, ReadOnlySpan<long> shape, ReadOnlySpan<T> elements, Action<Utf8JsonWriter, T> write)
    {
        if (shape.IsEmpty)
        {
            write(json, elements[0]);
            return;
        }

        json.WriteStartArray();
        var count = (int)shape[0];
        if (shape.Length == 1)
        {
            foreach (var element in elements) write(json, element);
        }
        else
        {
            var size = count == 0 ? 0 : elements.Length / count;
            for (var i = 0; i < count; i++) WriteNested(json, shape[1..], elements.Slice(i * size, size), write);
        }

        json.WriteEndArray();
    }

    private static void WriteSingle(Utf8JsonWriter json, float value)
    {
        if (float.IsFinite(value)) json.WriteNumberValue(value);
        else WriteNotFinite(json, value);
    }

    private static void WriteDouble(Utf8JsonWriter json, double value)
    {
        if (double.IsFinite(value)) json.WriteNumberValue(value);
        else WriteNotFinite(json, value);
    }

    private static void WriteHalf(Utf8JsonWriter json, Half value)
    {
        if (!Half.IsFinite(value))
        {
            WriteNotFinite(json, (double)value);
            return;
        }

        // The shortest digits that give this half back, not those of the float with the same value.
        Span<byte> text = stackalloc byte[16];
        value.TryFormat(text, out var length, default, null);
        json.WriteRawValue(text[..length], skipInputValidation: true);
    }

    private static void WriteNotFinite(Utf8JsonWriter json, double value) =>
        json.WriteStringValue(double.IsNaN(value) ? "NaN"u8 : value > 0 ? "Infinity"u8 : "-Infinity"u8);
}
