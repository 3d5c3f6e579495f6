using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization.Metadata;

namespace Serve.Management.Http.OpenApi;

/// <summary>Schemas of OpenAPI 3.0, which has an older JSON Schema with words of its own.</summary>
internal sealed class ApiSchemas
{
    private static readonly JsonSchemaExporterOptions Options = new() { TreatNullObliviousAsNonNullable = true, TransformSchemaNode = (_, node) => Older(node) };

    private readonly SortedDictionary<string, JsonNode> _components = new(StringComparer.Ordinal);

    /// <summary>The schemas of all types that were referred to.</summary>
    public JsonObject Components => new(_components.Select(schema => KeyValuePair.Create(schema.Key, (JsonNode?)schema.Value.DeepClone())));

    /// <summary>The schema of a body.</summary>
    public JsonObject Of(ApiContent content) => content.Shape switch
    {
        ApiShape.Json => Of(content.Json!),
        ApiShape.Binary => Simple("string", format: "binary"),
        ApiShape.Text => Simple("string"),
        ApiShape.Files => new JsonObject { ["type"] = "object", ["additionalProperties"] = Simple("string", format: "binary") },
        ApiShape.Fields => new JsonObject { ["type"] = "object", ["additionalProperties"] = Simple("string") },
        _ => [],
    };

    /// <summary>The schema of a parameter.</summary>
    public static JsonObject Of(ApiType type) => type switch
    {
        ApiType.Integer => Simple("integer"),
        ApiType.Boolean => Simple("boolean"),
        ApiType.Strings => new JsonObject { ["type"] = "array", ["items"] = Simple("string") },
        _ => Simple("string"),
    };

    /// <summary>A reference to the schema of a type, which becomes a component; a list's is written out around its elements'.</summary>
    public JsonObject Of(JsonTypeInfo type)
    {
        if (type.Kind == JsonTypeInfoKind.Enumerable) return new JsonObject { ["type"] = "array", ["items"] = Of(type.Options.GetTypeInfo(type.ElementType!)) };
        if (!_components.ContainsKey(type.Type.Name))
        {
            var schema = JsonSchemaExporter.GetJsonSchemaAsNode(type, Options);
            WriteOut(schema, schema);
            _components.Add(type.Type.Name, schema);
        }

        return new JsonObject { ["$ref"] = $"#/components/schemas/{type.Type.Name}" };
    }

    // The exporter refers to what it has written before from the schema's root, which is none in the document.
    private static void WriteOut(JsonNode? node, JsonNode root)
    {
        if (node is JsonArray items)
        {
            foreach (var item in items) WriteOut(item, root);
            return;
        }

        if (node is not JsonObject schema) return;
        foreach (var (name, value) in schema.ToList())
        {
            if (value is JsonObject && value["$ref"] is JsonValue reference)
            {
                var target = reference.GetValue<string>().Split('/').Skip(1).Aggregate((JsonNode?)root, static (at, step) => at?[step]);
                schema[name] = target?.DeepClone();
            }

            WriteOut(schema[name], root);
        }
    }

    private static JsonObject Simple(string type, string? format = null)
    {
        var schema = new JsonObject { ["type"] = type };
        if (format is not null) schema["format"] = format;
        return schema;
    }

    // Null is not among the values: what is null is left out. And 3.0 has neither lists of types nor schemas that are true.
    private static JsonObject Older(JsonNode node)
    {
        if (node is not JsonObject schema) return new JsonObject();
        if (schema["type"] is JsonArray types) schema["type"] = types.First(type => type!.GetValue<string>() != "null")!.DeepClone();
        if (schema["enum"] is JsonArray values)
        {
            schema["type"] = "string";
            schema["enum"] = new JsonArray([.. values.Where(value => value is not null).Select(value => value!.DeepClone())]);
        }

        schema.Remove("default");
        return schema;
    }
}
