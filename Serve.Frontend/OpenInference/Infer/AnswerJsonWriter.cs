using System.Buffers;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Tensors;

namespace Serve.Frontend.OpenInference.Infer;

/// <summary>
/// Writes an answer's JSON: all of it, or the head of one whose tensors follow binary. Numbers are written straight from the
/// tensor's bytes, with the fewest digits that give them back; nothing is allocated for an element.
/// </summary>
internal static class AnswerJsonWriter
{
    private const int LongestNumber = 32;
    private const int NumbersAtOnce = 256;

    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    [ThreadStatic]
    private static Utf8JsonWriter? _writer;

    /// <summary>Writes an answer.</summary>
    /// <param name="target">Where to.</param>
    /// <param name="request">What is answered.</param>
    /// <param name="model">The name of the model that answers.</param>
    /// <param name="version">Its version.</param>
    /// <param name="parameters">The answer's parameters.</param>
    /// <param name="tensors">Its tensors.</param>
    public static void Write(IBufferWriter<byte> target, TensorRequest request, string model, string version, IReadOnlyList<KeyValuePair<string, string>> parameters, List<AnswerTensor> tensors)
    {
        var json = _writer ??= new Utf8JsonWriter(Stream.Null, Options);
        json.Reset(target);
        json.WriteStartObject();
        json.WriteString("model_name"u8, model);
        json.WriteString("model_version"u8, version);
        if (request.Id is { Length: > 0 } id) json.WriteString("id"u8, id);
        if (parameters.Count > 0)
        {
            json.WriteStartObject("parameters"u8);
            foreach (var (name, value) in parameters) json.WriteString(name, value);
            json.WriteEndObject();
        }

        json.WriteStartArray("outputs"u8);
        foreach (var tensor in tensors)
        {
            json.WriteStartObject();
            json.WriteString("name"u8, tensor.Name);
            json.WriteString("datatype"u8, tensor.Element.Datatype());
            json.WriteStartArray("shape"u8);
            foreach (var dimension in tensor.Shape) json.WriteNumberValue(dimension);
            json.WriteEndArray();
            if (tensor.Requested?.SharedMemory is not null)
            {
                // Nothing, as Triton: its C++ client takes any parameters for those of a binary tensor, and fails without its size.
            }
            else if (request.IsBinary(tensor.Requested))
            {
                json.WriteStartObject("parameters"u8);
                json.WriteNumber("binary_data_size"u8, tensor.Data.Length);
                json.WriteEndObject();
            }
            else
            {
                WriteData(json, target, tensor);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.Flush();
        json.Reset(Stream.Null);
    }

    private static void WriteData(Utf8JsonWriter json, IBufferWriter<byte> target, in AnswerTensor tensor)
    {
        if (tensor.Element == TensorElement.String)
        {
            WriteStrings(json, tensor);
            return;
        }

        // The writer does not see the list, which is the object's last member: it writes no comma after it.
        json.WritePropertyName("data"u8);
        json.Flush();
        target.Write("["u8);
        var data = tensor.Data.Span;
        switch (tensor.Element)
        {
            case TensorElement.Float32: WriteReals<float>(target, data); break;
            case TensorElement.Float64: WriteReals<double>(target, data); break;
            case TensorElement.Int8: WriteWhole<sbyte>(target, data); break;
            case TensorElement.Int16: WriteWhole<short>(target, data); break;
            case TensorElement.Int32: WriteWhole<int>(target, data); break;
            case TensorElement.Int64: WriteWhole<long>(target, data); break;
            case TensorElement.UInt8: WriteWhole<byte>(target, data); break;
            case TensorElement.UInt16: WriteWhole<ushort>(target, data); break;
            case TensorElement.UInt32: WriteWhole<uint>(target, data); break;
            case TensorElement.UInt64: WriteWhole<ulong>(target, data); break;
            case TensorElement.Bool: WriteBooleans(target, data); break;
            default: throw new BadRequestException($"sending {tensor.Element.Datatype()} data via JSON is not supported. Please use the binary data format for output '{tensor.Name}'");
        }

        target.Write("]"u8);
    }

    private static void WriteStrings(Utf8JsonWriter json, in AnswerTensor tensor)
    {
        json.WriteStartArray("data"u8);
        var rest = tensor.Data.Span;
        while (BytesElements.TryTake(ref rest, out var element))
        {
            if (!Utf8.IsValid(element)) throw new BadRequestException($"output '{tensor.Name}' has bytes that are not UTF-8, which JSON cannot carry. Please use the binary data format for it");
            json.WriteStringValue(element);
        }

        json.WriteEndArray();
    }

    private static void WriteReals<T>(IBufferWriter<byte> target, ReadOnlySpan<byte> data)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var elements = MemoryMarshal.Cast<byte, T>(data);
        for (var from = 0; from < elements.Length; from += NumbersAtOnce)
        {
            var piece = elements.Slice(from, Math.Min(NumbersAtOnce, elements.Length - from));
            var room = target.GetSpan(piece.Length * (LongestNumber + 1));
            var at = 0;
            for (var i = 0; i < piece.Length; i++)
            {
                if (from + i > 0) room[at++] = (byte)',';
                at += T.IsFinite(piece[i]) ? Format(piece[i], room[at..]) : WriteNotFinite(T.IsNaN(piece[i]) ? "\"NaN\""u8 : T.IsNegative(piece[i]) ? "\"-Infinity\""u8 : "\"Infinity\""u8, room[at..]);
            }

            target.Advance(at);
        }
    }

    private static void WriteWhole<T>(IBufferWriter<byte> target, ReadOnlySpan<byte> data)
        where T : unmanaged, IBinaryInteger<T>
    {
        var elements = MemoryMarshal.Cast<byte, T>(data);
        for (var from = 0; from < elements.Length; from += NumbersAtOnce)
        {
            var piece = elements.Slice(from, Math.Min(NumbersAtOnce, elements.Length - from));
            var room = target.GetSpan(piece.Length * (LongestNumber + 1));
            var at = 0;
            for (var i = 0; i < piece.Length; i++)
            {
                if (from + i > 0) room[at++] = (byte)',';
                at += Format(piece[i], room[at..]);
            }

            target.Advance(at);
        }
    }

    private static void WriteBooleans(IBufferWriter<byte> target, ReadOnlySpan<byte> data)
    {
        for (var i = 0; i < data.Length; i++)
        {
            if (i > 0) target.Write(","u8);
            target.Write(data[i] != 0 ? "true"u8 : "false"u8);
        }
    }

    private static int Format<T>(T value, Span<byte> target)
        where T : IUtf8SpanFormattable => value.TryFormat(target, out var length, default, System.Globalization.CultureInfo.InvariantCulture) ? length : throw new InvalidOperationException("A number is too long.");

    // JSON has no such numbers: texts, which the server's reader takes too.
    private static int WriteNotFinite(ReadOnlySpan<byte> text, Span<byte> target)
    {
        text.CopyTo(target);
        return text.Length;
    }
}
