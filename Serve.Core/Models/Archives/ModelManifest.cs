using System.Globalization;
using System.Text.Json;
using Serve.Core.Errors;

namespace Serve.Core.Models.Archives;

/// <summary>
/// <c>MAR-INF/MANIFEST.json</c> of an archive, as torch-model-archiver writes it. Reading ignores what it does not know;
/// writing gives the same fields in the same order.
/// </summary>
public sealed record ModelManifest
{
    /// <summary>Where the manifest lies in an archive.</summary>
    public const string EntryName = FolderName + "/MANIFEST.json";

    /// <summary>The manifest's folder.</summary>
    internal const string FolderName = "MAR-INF";

    private const int MaxBytes = 1 << 20;
    private const string DateFormat = "dd/MM/yyyy HH:mm:ss";

    /// <summary>When the archive was made, local time; null if unknown.</summary>
    public DateTime? CreatedOn { get; init; }

    /// <summary>What runs the model: <c>python</c> in TorchServe's archives, <c>onnx</c> in ours; has no effect.</summary>
    public string Runtime { get; init; } = "onnx";

    /// <summary>The model's name; null if the archive does not say it.</summary>
    public string? ModelName { get; init; }

    /// <summary>The version's name; null if the archive does not say it.</summary>
    public string? ModelVersion { get; init; }

    /// <summary>The file with the weights.</summary>
    public string? SerializedFile { get; init; }

    /// <summary>The handler: a stock name, <c>Assembly.dll:Namespace.Type</c>, or a Python file, which is refused when the model is opened.</summary>
    public string? Handler { get; init; }

    /// <summary>TorchServe's file with the model's Python class; beside an ONNX file it is not needed, and without one there is nothing to serve.</summary>
    public string? ModelFile { get; init; }

    /// <summary>TorchServe's list of Python packages; has no effect.</summary>
    public string? RequirementsFile { get; init; }

    /// <summary>The model's configuration in the archive; null: <c>model-config.yaml</c>, if there is one.</summary>
    public string? ConfigFile { get; init; }

    /// <summary>The archiver that made it.</summary>
    public string? ArchiverVersion { get; init; }

    /// <summary>Reads a manifest.</summary>
    /// <param name="json">UTF-8.</param>
    /// <param name="source">What messages call it.</param>
    /// <exception cref="InvalidModelException">It is not JSON, or a field has the wrong type.</exception>
    public static ModelManifest Read(ReadOnlyMemory<byte> json, string source)
    {
        if (json.Length > MaxBytes) throw new InvalidModelException($"{source} has {json.Length} bytes; a manifest has at most {MaxBytes}.");
        if (json.Span.StartsWith("\uFEFF"u8)) json = json[3..];

        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 16, AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip });
            var root = document.RootElement;
            if (root.ValueKind is not JsonValueKind.Object) throw new InvalidModelException($"{source} must be a JSON object.");

            var hasModel = root.TryGetProperty("model", out var model) && model.ValueKind is not JsonValueKind.Null;
            if (hasModel && model.ValueKind is not JsonValueKind.Object) throw new InvalidModelException($"{source}: model must be a JSON object.");

            string? Of(string name) => hasModel ? Text(model, name, source) : null;
            return new ModelManifest
            {
                CreatedOn = DateTime.TryParseExact(Text(root, "createdOn", source), DateFormat, CultureInfo.InvariantCulture, DateTimeStyles.None, out var created) ? created : null,
                Runtime = Text(root, "runtime", source) ?? "python",
                ArchiverVersion = Text(root, "archiverVersion", source),
                ModelName = Of("modelName"),
                ModelVersion = Of("modelVersion"),
                SerializedFile = Of("serializedFile"),
                Handler = Of("handler"),
                ModelFile = Of("modelFile"),
                RequirementsFile = Of("requirementsFile"),
                ConfigFile = Of("configFile"),
            };
        }
        catch (JsonException error)
        {
            throw new InvalidModelException($"{source}:{error.LineNumber + 1}:{error.BytePositionInLine + 1}: is not JSON: {error.Message}", error);
        }
        catch (InvalidOperationException error)
        {
            // Text that no string can hold: half of a surrogate pair, or bytes that are not UTF-8.
            throw new InvalidModelException($"{source}: a value is not text: {error.Message}", error);
        }
    }

    /// <summary>Reads a manifest from a file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="InvalidModelException">It cannot be read, is not JSON, or a field has the wrong type.</exception>
    public static ModelManifest ReadFile(string path) => Read(SmallFile.Read(path, MaxBytes), path);

    /// <summary>The manifest as JSON, in torch-model-archiver's shape.</summary>
    public byte[] Write()
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            WriteText(json, "createdOn", CreatedOn?.ToString(DateFormat, CultureInfo.InvariantCulture));
            WriteText(json, "runtime", Runtime);
            json.WriteStartObject("model");
            WriteText(json, "modelName", ModelName);
            WriteText(json, "serializedFile", SerializedFile);
            WriteText(json, "handler", Handler);
            WriteText(json, "modelFile", ModelFile);
            WriteText(json, "modelVersion", ModelVersion);
            WriteText(json, "requirementsFile", RequirementsFile);
            WriteText(json, "configFile", ConfigFile);
            json.WriteEndObject();
            WriteText(json, "archiverVersion", ArchiverVersion);
            json.WriteEndObject();
        }

        return stream.ToArray();
    }

    private static void WriteText(Utf8JsonWriter json, string name, string? value)
    {
        if (value is not null) json.WriteString(name, value);
    }

    /// <summary>A field as text; a version may be written as a number. Empty counts as absent.</summary>
    private static string? Text(JsonElement element, string name, string source)
    {
        if (!element.TryGetProperty(name, out var value)) return null;

        var text = value.ValueKind switch
        {
            JsonValueKind.String => value.GetString(),
            JsonValueKind.Number => value.GetRawText(),
            JsonValueKind.Null => null,
            _ => throw new InvalidModelException($"{source}: {name} must be text, not {value.ValueKind}."),
        };
        return string.IsNullOrEmpty(text) ? null : text;
    }
}
