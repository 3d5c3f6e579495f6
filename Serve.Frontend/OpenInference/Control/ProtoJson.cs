using System.Buffers;
using System.Collections;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Microsoft.AspNetCore.Http;

namespace Serve.Frontend.OpenInference.Control;

/// <summary>
/// A message of gRPC as the JSON of REST, so that both say the same: names in snake_case as in the <c>.proto</c>, numbers of
/// 64 bits as numbers (not as the texts of protobuf's own JSON). Fields that are not set have their defaults, but messages
/// and members of a <c>oneof</c> that are not set, and empty maps, are left out.
/// </summary>
internal static class ProtoJson
{
    // Never put into HTML.
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Answers 200 with a message.</summary>
    public static Task WriteAsync(HttpContext context, IMessage message) => WriteAsync(context, StatusCodes.Status200OK, writer => Write(writer, message));

    /// <summary>Answers 200 with a list of messages.</summary>
    public static Task WriteAsync(HttpContext context, IEnumerable<IMessage> messages) => WriteAsync(context, StatusCodes.Status200OK, writer =>
    {
        writer.WriteStartArray();
        foreach (var message in messages) Write(writer, message);
        writer.WriteEndArray();
    });

    /// <summary>Answers with a document.</summary>
    public static Task WriteAsync(HttpContext context, int status, Action<Utf8JsonWriter> write)
    {
        var document = new ArrayBufferWriter<byte>(1024);
        using (var writer = new Utf8JsonWriter(document, Options)) write(writer);
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = document.WrittenCount;
        return context.Response.BodyWriter.WriteAsync(document.WrittenMemory, context.RequestAborted).AsTask();
    }

    /// <summary>Writes a message as an object.</summary>
    public static void Write(Utf8JsonWriter writer, IMessage message)
    {
        writer.WriteStartObject();
        foreach (var field in message.Descriptor.Fields.InFieldNumberOrder())
        {
            if (field.HasPresence && !field.Accessor.HasValue(message)) continue;
            var value = field.Accessor.GetValue(message);
            if (field.IsMap && ((IDictionary)value).Count == 0) continue;
            writer.WritePropertyName(field.Name);
            Write(writer, field, value);
        }

        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, FieldDescriptor field, object value)
    {
        if (field.IsMap)
        {
            writer.WriteStartObject();
            foreach (DictionaryEntry entry in (IDictionary)value)
            {
                writer.WritePropertyName(Convert.ToString(entry.Key, CultureInfo.InvariantCulture)!);
                WriteOne(writer, field.MessageType.FindFieldByNumber(2), entry.Value!);
            }

            writer.WriteEndObject();
        }
        else if (field.IsRepeated)
        {
            writer.WriteStartArray();
            foreach (var item in (IList)value) WriteOne(writer, field, item);
            writer.WriteEndArray();
        }
        else
        {
            WriteOne(writer, field, value);
        }
    }

    private static void WriteOne(Utf8JsonWriter writer, FieldDescriptor field, object value)
    {
        switch (value)
        {
            case IMessage message:
                Write(writer, message);
                break;
            case bool flag:
                writer.WriteBooleanValue(flag);
                break;
            case string text:
                writer.WriteStringValue(text);
                break;
            case Enum named:
                writer.WriteStringValue(field.EnumType.FindValueByNumber(Convert.ToInt32(named, CultureInfo.InvariantCulture)).Name);
                break;
            case int or long:
                writer.WriteNumberValue(Convert.ToInt64(value, CultureInfo.InvariantCulture));
                break;
            case uint or ulong:
                writer.WriteNumberValue(Convert.ToUInt64(value, CultureInfo.InvariantCulture));
                break;
            default:
                throw new InvalidOperationException($"{field.FullName}: a {value.GetType()} has no place in this JSON.");
        }
    }
}
