using System.Globalization;
using System.Text.Json;
using Serve.Core.Errors;

namespace Serve.Core.Models;

/// <summary>
/// Reads <c>index_to_name.json</c>, TorchServe's file of labels: <c>{"0": "tench"}</c>, <c>{"0": ["n01440764", "tench"]}</c>
/// (the last item is the label), or either of them, or a list, under <c>object_type_names</c>.
/// </summary>
public static class LabelFile
{
    /// <summary>The file's name in a model's folder.</summary>
    public const string FileName = "index_to_name.json";

    private const int MaxBytes = 64 << 20;
    private const int MaxLabels = 1_000_000;

    /// <summary>Reads labels from a file.</summary>
    /// <param name="path">The file.</param>
    /// <returns>Labels by class index; an index that the file leaves out is its own label.</returns>
    /// <exception cref="InvalidModelException">What is wrong, with file, line and column.</exception>
    public static IReadOnlyList<string> Read(string path) => Read(SmallFile.Read(path, MaxBytes), path);

    /// <summary>Reads labels from JSON.</summary>
    /// <param name="json">UTF-8.</param>
    /// <param name="source">What messages call it.</param>
    /// <returns>Labels by class index; an index that the file leaves out is its own label.</returns>
    /// <exception cref="InvalidModelException">What is wrong, with file, line and column.</exception>
    public static IReadOnlyList<string> Read(ReadOnlySpan<byte> json, string source)
    {
        if (json.StartsWith("\uFEFF"u8)) json = json[3..];

        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 8 });
        try
        {
            Advance(ref reader);
            if (reader.TokenType is not JsonTokenType.StartObject) throw Wrong(json, ref reader, source, "must be an object of class indices and labels, for example {\"0\": \"tench\"}");

            var labels = ReadObject(json, ref reader, source, isOutermost: true);
            if (reader.Read()) throw Wrong(json, ref reader, source, "has something after its end");

            return labels;
        }
        catch (JsonException error)
        {
            throw new InvalidModelException($"{source}:{error.LineNumber + 1}:{error.BytePositionInLine + 1}: is not JSON: {error.Message}", error);
        }
    }

    private static string[] ReadObject(ReadOnlySpan<byte> json, ref Utf8JsonReader reader, string source, bool isOutermost)
    {
        var labels = new Dictionary<int, string>();
        var highest = -1;
        while (Advance(ref reader) && reader.TokenType is not JsonTokenType.EndObject)
        {
            var key = Text(json, ref reader, source);
            if (isOutermost && key == "object_type_names") return ReadNames(json, ref reader, source);

            if (!int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out var index) || index >= MaxLabels)
            {
                throw Wrong(json, ref reader, source, $"\"{ShownText.Of(key)}\" is no class index (0 to {MaxLabels - 1})");
            }

            var position = reader;
            Advance(ref reader);
            if (!labels.TryAdd(index, ReadLabel(json, ref reader, source))) throw Wrong(json, ref position, source, $"the class index {index} stands twice");

            highest = Math.Max(highest, index);
        }

        // Bounded by the largest index, not by the file's size: a gap of a million costs what a file of a million does.
        var all = new string[highest + 1];
        for (var index = 0; index < all.Length; index++) all[index] = labels.GetValueOrDefault(index) ?? index.ToString(CultureInfo.InvariantCulture);

        return all;
    }

    /// <summary>The value of <c>object_type_names</c>, and the rest of the object around it.</summary>
    private static string[] ReadNames(ReadOnlySpan<byte> json, ref Utf8JsonReader reader, string source)
    {
        Advance(ref reader);
        var names = reader.TokenType switch
        {
            JsonTokenType.StartObject => ReadObject(json, ref reader, source, isOutermost: false),
            JsonTokenType.StartArray => ReadArray(json, ref reader, source),
            _ => throw Wrong(json, ref reader, source, "object_type_names must be a list or an object of labels"),
        };

        while (Advance(ref reader) && reader.TokenType is not JsonTokenType.EndObject) reader.Skip();
        return names;
    }

    private static string[] ReadArray(ReadOnlySpan<byte> json, ref Utf8JsonReader reader, string source)
    {
        var labels = new List<string>();
        while (Advance(ref reader) && reader.TokenType is not JsonTokenType.EndArray)
        {
            if (labels.Count == MaxLabels) throw Wrong(json, ref reader, source, $"has more than {MaxLabels} labels");
            labels.Add(ReadLabel(json, ref reader, source));
        }

        return [.. labels];
    }

    private static string ReadLabel(ReadOnlySpan<byte> json, ref Utf8JsonReader reader, string source)
    {
        if (reader.TokenType is JsonTokenType.String) return Text(json, ref reader, source);
        if (reader.TokenType is not JsonTokenType.StartArray) throw Wrong(json, ref reader, source, "a label must be text, or a list of texts whose last is the label");

        string? label = null;
        while (Advance(ref reader) && reader.TokenType is not JsonTokenType.EndArray)
        {
            label = reader.TokenType is JsonTokenType.String ? Text(json, ref reader, source) : throw Wrong(json, ref reader, source, "a label in a list must be text");
        }

        return label ?? throw Wrong(json, ref reader, source, "a list of texts is empty; its last item would be the label");
    }

    private static string Text(ReadOnlySpan<byte> json, ref Utf8JsonReader reader, string source)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException error)
        {
            throw Wrong(json, ref reader, source, $"is not text: {error.Message.TrimEnd('.')}");
        }
    }

    /// <summary>Moves on; the reader itself throws where the text ends too early.</summary>
    private static bool Advance(ref Utf8JsonReader reader) => reader.Read();

    private static InvalidModelException Wrong(ReadOnlySpan<byte> json, ref Utf8JsonReader reader, string source, string message)
    {
        var before = json[..(int)reader.TokenStartIndex];
        var line = before.Count((byte)'\n') + 1;
        var column = before.Length - (before.LastIndexOf((byte)'\n') + 1) + 1;
        return new InvalidModelException($"{source}:{line}:{column}: {message}.");
    }
}
