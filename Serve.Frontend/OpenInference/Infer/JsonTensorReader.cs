using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Protocol;
using Serve.Core.Tensors;

namespace Serve.Frontend.OpenInference.Infer;

/// <summary>
/// Reads the elements of one tensor from a JSON list, flat or nested in any way, row-major, straight into their bytes in a
/// payload: nothing is allocated for an element. What is not a value of the tensor's type, or one too many, is refused with
/// its number and its place in the request. Hot path for requests in JSON.
/// </summary>
internal static class JsonTensorReader
{
    private interface IElement<T>
        where T : unmanaged
    {
        static abstract string Wanted { get; }

        /// <summary>Reads the value that a number token has.</summary>
        static abstract bool TryGet(ref Utf8JsonReader json, out T value);
    }

    /// <summary>Reads a tensor.</summary>
    /// <param name="json">Stands on the first token of the list; afterwards on its last.</param>
    /// <param name="at">Where its text begins in the request, for messages.</param>
    /// <param name="textBytes">How long that text is: a tensor has no more elements than the text has bytes.</param>
    /// <param name="input">Its name, type and shape; its place is set.</param>
    /// <param name="target">The elements are added to its body.</param>
    /// <param name="mostBytes">The most bytes that the body may have then.</param>
    /// <exception cref="BadRequestException">It is not such a tensor.</exception>
    /// <exception cref="PayloadTooLargeException">It has more bytes.</exception>
    public static void Read(ref Utf8JsonReader json, int at, int textBytes, TensorInput input, RequestPayload target, long mostBytes)
    {
        if (input.Element is TensorElement.Float16 or TensorElement.BFloat16)
        {
            throw new BadRequestException($"sending {input.Element.Datatype()} data via JSON is not supported. Please use the binary data format for input '{input.Name}'");
        }

        if (json.TokenType != JsonTokenType.StartArray) throw new BadRequestException($"input '{input.Name}': 'data' must be a list (byte {at + json.TokenStartIndex})");
        if (!TensorShape.TryCount(input.Shape, out var count) || count > textBytes) throw Mismatch(input, "fewer");
        input.Offset = target.Body.Length;
        if (input.Element == TensorElement.String)
        {
            ReadStrings(ref json, at, count, input, target, mostBytes);
        }
        else
        {
            var bytes = count * input.Element.SizeBytes();
            if (input.Offset + bytes > Math.Min(mostBytes, Array.MaxLength)) throw new PayloadTooLargeException(mostBytes);
            ReadNumbers(ref json, at, input, target.GetSpan((int)bytes)[..(int)bytes]);
            target.Advance((int)bytes);
        }

        input.Length = target.Body.Length - input.Offset;
    }

    private static void ReadNumbers(ref Utf8JsonReader json, int at, TensorInput input, Span<byte> target)
    {
        switch (input.Element)
        {
            case TensorElement.Float32: Read<float, Single>(ref json, at, input, target); break;
            case TensorElement.Float64: Read<double, Double>(ref json, at, input, target); break;
            case TensorElement.Int8: Read<sbyte, Int8>(ref json, at, input, target); break;
            case TensorElement.Int16: Read<short, Int16>(ref json, at, input, target); break;
            case TensorElement.Int32: Read<int, Int32>(ref json, at, input, target); break;
            case TensorElement.Int64: Read<long, Int64>(ref json, at, input, target); break;
            case TensorElement.UInt8: Read<byte, UInt8>(ref json, at, input, target); break;
            case TensorElement.UInt16: Read<ushort, UInt16>(ref json, at, input, target); break;
            case TensorElement.UInt32: Read<uint, UInt32>(ref json, at, input, target); break;
            case TensorElement.UInt64: Read<ulong, UInt64>(ref json, at, input, target); break;
            case TensorElement.Bool: Read<byte, Boolean>(ref json, at, input, target); break;
            default: throw new InvalidOperationException($"There are no elements of type {input.Element}.");
        }
    }

    private static void Read<T, TElement>(ref Utf8JsonReader json, int at, TensorInput input, Span<byte> target)
        where T : unmanaged
        where TElement : struct, IElement<T>
    {
        var elements = MemoryMarshal.Cast<byte, T>(target);
        var (depth, filled) = (1, 0);
        while (depth > 0)
        {
            json.Read(); // a text that ends here throws
            switch (json.TokenType)
            {
                case JsonTokenType.StartArray:
                    depth++;
                    break;
                case JsonTokenType.EndArray:
                    depth--;
                    break;
                case JsonTokenType.StartObject:
                    throw Wrong(ref json, at, input, filled, TElement.Wanted);
                default:
                    if (filled == elements.Length) throw Mismatch(input, "more");
                    if (!TElement.TryGet(ref json, out elements[filled])) throw Wrong(ref json, at, input, filled, TElement.Wanted);
                    filled++;
                    break;
            }
        }

        if (filled < elements.Length) throw Mismatch(input, $"{filled}");
    }

    private static void ReadStrings(ref Utf8JsonReader json, int at, long count, TensorInput input, RequestPayload target, long mostBytes)
    {
        var (depth, filled) = (1, 0L);
        while (depth > 0)
        {
            json.Read();
            switch (json.TokenType)
            {
                case JsonTokenType.StartArray:
                    depth++;
                    break;
                case JsonTokenType.EndArray:
                    depth--;
                    break;
                case JsonTokenType.String:
                    if (filled++ == count) throw Mismatch(input, "more");

                    // Unescaped it is no longer.
                    var room = BytesElements.PrefixBytes + json.ValueSpan.Length;
                    if (target.Body.Length + (long)room > mostBytes) throw new PayloadTooLargeException(mostBytes);
                    var memory = target.GetSpan(room);
                    var length = json.CopyString(memory[BytesElements.PrefixBytes..]);
                    BinaryPrimitives.WriteInt32LittleEndian(memory, length);
                    target.Advance(BytesElements.PrefixBytes + length);
                    break;
                default:
                    throw Wrong(ref json, at, input, filled, "a text");
            }
        }

        if (filled < count) throw Mismatch(input, $"{filled}");
    }

    // The end of the sentence is Triton's, whose status is 500.
    private static BadRequestException Mismatch(TensorInput input, string elements) =>
        new($"input '{input.Name}': the shape {TensorShape.Text(input.Shape)} needs {(TensorShape.TryCount(input.Shape, out var count) ? count : "too many")} elements, and 'data' has {elements}. Shape does not match true shape of 'data' field");

    private static BadRequestException Wrong(ref Utf8JsonReader json, int at, TensorInput input, long element, string wanted)
    {
        var text = json.TokenType == JsonTokenType.StartObject ? "an object" : Encoding.UTF8.GetString(json.ValueSpan[..Math.Min(json.ValueSpan.Length, 40)]);
        if (json.TokenType == JsonTokenType.String) text = $"\"{text}\"";
        return new BadRequestException($"input '{input.Name}': {text} is not {wanted}: element {element} of 'data', byte {at + json.TokenStartIndex}");
    }

    // JSON has no NaN and no infinities: they are texts, as the server writes them.
    private static double NotFinite(ref Utf8JsonReader json)
    {
        if (json.TokenType != JsonTokenType.String) return 0;
        if (json.ValueTextEquals("NaN"u8)) return double.NaN;
        if (json.ValueTextEquals("Infinity"u8)) return double.PositiveInfinity;
        return json.ValueTextEquals("-Infinity"u8) ? double.NegativeInfinity : 0;
    }

    private readonly struct Single : IElement<float>
    {
        public static string Wanted => "an FP32 number";

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool TryGet(ref Utf8JsonReader json, out float value)
        {
            if (json.TokenType == JsonTokenType.Number) return json.TryGetSingle(out value) && float.IsFinite(value);
            value = (float)NotFinite(ref json);
            return !float.IsFinite(value);
        }
    }

    private readonly struct Double : IElement<double>
    {
        public static string Wanted => "an FP64 number";

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool TryGet(ref Utf8JsonReader json, out double value)
        {
            if (json.TokenType == JsonTokenType.Number) return json.TryGetDouble(out value) && double.IsFinite(value);
            value = NotFinite(ref json);
            return !double.IsFinite(value);
        }
    }

    private readonly struct Int8 : IElement<sbyte>
    {
        public static string Wanted => "a whole number from -128 to 127";

        public static bool TryGet(ref Utf8JsonReader json, out sbyte value)
        {
            value = 0;
            return json.TokenType == JsonTokenType.Number && json.TryGetSByte(out value);
        }
    }

    private readonly struct Int16 : IElement<short>
    {
        public static string Wanted => "a whole number from -32768 to 32767";

        public static bool TryGet(ref Utf8JsonReader json, out short value)
        {
            value = 0;
            return json.TokenType == JsonTokenType.Number && json.TryGetInt16(out value);
        }
    }

    private readonly struct Int32 : IElement<int>
    {
        public static string Wanted => "a whole number from -2147483648 to 2147483647";

        public static bool TryGet(ref Utf8JsonReader json, out int value)
        {
            value = 0;
            return json.TokenType == JsonTokenType.Number && json.TryGetInt32(out value);
        }
    }

    private readonly struct Int64 : IElement<long>
    {
        public static string Wanted => "a whole number of 64 bits";

        public static bool TryGet(ref Utf8JsonReader json, out long value)
        {
            value = 0;
            return json.TokenType == JsonTokenType.Number && json.TryGetInt64(out value);
        }
    }

    private readonly struct UInt8 : IElement<byte>
    {
        public static string Wanted => "a whole number from 0 to 255";

        public static bool TryGet(ref Utf8JsonReader json, out byte value)
        {
            value = 0;
            return json.TokenType == JsonTokenType.Number && json.TryGetByte(out value);
        }
    }

    private readonly struct UInt16 : IElement<ushort>
    {
        public static string Wanted => "a whole number from 0 to 65535";

        public static bool TryGet(ref Utf8JsonReader json, out ushort value)
        {
            value = 0;
            return json.TokenType == JsonTokenType.Number && json.TryGetUInt16(out value);
        }
    }

    private readonly struct UInt32 : IElement<uint>
    {
        public static string Wanted => "a whole number from 0 to 4294967295";

        public static bool TryGet(ref Utf8JsonReader json, out uint value)
        {
            value = 0;
            return json.TokenType == JsonTokenType.Number && json.TryGetUInt32(out value);
        }
    }

    private readonly struct UInt64 : IElement<ulong>
    {
        public static string Wanted => "a whole number from 0, of 64 bits";

        public static bool TryGet(ref Utf8JsonReader json, out ulong value)
        {
            value = 0;
            return json.TokenType == JsonTokenType.Number && json.TryGetUInt64(out value);
        }
    }

    private readonly struct Boolean : IElement<byte>
    {
        public static string Wanted => "true or false";

        public static bool TryGet(ref Utf8JsonReader json, out byte value)
        {
            value = json.TokenType == JsonTokenType.True ? (byte)1 : (byte)0;
            return json.TokenType is JsonTokenType.True or JsonTokenType.False;
        }
    }
}
