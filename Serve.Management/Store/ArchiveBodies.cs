using System.Text.Json.Serialization;
using Serve.Core.Models;

namespace Serve.Management.Store;

/// <summary>A model in the store that can be registered.</summary>
public sealed record ArchiveBody
{
    /// <summary>What <c>POST /models?url=</c> takes.</summary>
    public required string Url { get; init; }

    public required string ModelName { get; init; }

    public required string ModelVersion { get; init; }

    /// <summary>folder, archive or onnx.</summary>
    public required string Kind { get; init; }

    /// <summary>Of a file, in bytes.</summary>
    public long? Size { get; init; }

    public DateTimeOffset? Modified { get; init; }

    public static ArchiveBody From(StoredModel model)
    {
        var file = model.Kind == StoredModelKind.Folder ? null : new FileInfo(model.Path);
        return new ArchiveBody
        {
            Url = model.Url,
            ModelName = model.Name,
            ModelVersion = model.Version,
            Kind = model.Kind switch
            {
                StoredModelKind.Archive => "archive",
                StoredModelKind.OnnxFile => "onnx",
                _ => "folder",
            },
            Size = file is { Exists: true } ? file.Length : null,
            Modified = file is { Exists: true } ? file.LastWriteTimeUtc : null,
        };
    }
}

/// <summary>What the store has and nobody has registered.</summary>
public sealed record ArchiveList(IReadOnlyList<ArchiveBody> Archives);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ArchiveBody))]
[JsonSerializable(typeof(ArchiveList))]
public sealed partial class StoreJson : JsonSerializerContext;
