using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Serve.Core.Errors;
using Serve.Core.Models.Repository;
using Serve.Management.Http;

namespace Serve.Frontend.OpenInference.Control;

/// <summary>The model repository over REST.</summary>
/// <param name="repository">The repository.</param>
/// <param name="isAllowed">Whether models may be loaded and unloaded here.</param>
/// <param name="maxRequestBytes">The most that a load may have, with the files of a model.</param>
internal sealed class RepositoryRoutes(RepositoryControl repository, bool isAllowed, long maxRequestBytes)
{
    /// <summary>Maps them.</summary>
    public void Map(IEndpointRouteBuilder routes)
    {
        foreach (var prefix in (string[])["repository", "repository/{repository}"])
        {
            routes.MapPost($"{prefix}/index", IndexAsync).WithSummary("The models that there are, loaded or not");
            routes.MapPost($"{prefix}/models/{{model}}/load", LoadAsync).WithSummary("Loads a model, or loads it again");
            routes.MapPost($"{prefix}/models/{{model}}/unload", UnloadAsync).WithSummary("Unloads all versions of a model");
        }
    }

    private async Task IndexAsync(HttpContext context)
    {
        using var body = await JsonBody.ReadAsync(context);
        var index = repository.Index(Named(context), body.RootElement.Flag("ready"));
        await ProtoJson.WriteAsync(context, StatusCodes.Status200OK, writer =>
        {
            // Of what was never loaded, nothing but the name.
            writer.WriteStartArray();
            foreach (var entry in index.Models)
            {
                writer.WriteStartObject();
                writer.WriteString("name", entry.Name);
                if (entry.State.Length > 0)
                {
                    writer.WriteString("version", entry.Version);
                    writer.WriteString("state", entry.State);
                    writer.WriteString("reason", entry.Reason);
                }

                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        });
    }

    private async Task LoadAsync(HttpContext context)
    {
        CrossSite.Refuse(context.Request);
        using var body = await JsonBody.ReadAsync(context, maxRequestBytes);
        string? config = null;
        List<ModelFileContent> files = [];
        foreach (var parameter in Parameters(body.RootElement))
        {
            if (parameter.Name == "config") config = parameter.Value.AsText("config");
            else if (RepositoryControl.FileOf(parameter.Name) is { } path) files.Add(new ModelFileContent(path, Bytes(parameter)));
            else throw new BadRequestException($"unrecognized load parameter '{ShownText.Of(parameter.Name)}'; there are config and file:VERSION/PATH");
        }

        await repository.LoadAsync(Named(context), context.Model(), config, files, isAllowed, context.RequestAborted);
        await SayAsync(context, "load");
    }

    private async Task UnloadAsync(HttpContext context)
    {
        CrossSite.Refuse(context.Request);
        using var body = await JsonBody.ReadAsync(context);

        // Nothing depends on another model here: it is understood, and has nothing to do.
        foreach (var parameter in Parameters(body.RootElement))
        {
            if (parameter.Name != "unload_dependents" || parameter.Value.ValueKind is not (JsonValueKind.True or JsonValueKind.False)) throw new BadRequestException($"unrecognized unload parameter '{ShownText.Of(parameter.Name)}'; there is unload_dependents, true or false");
        }

        await repository.UnloadAsync(Named(context), context.Model(), isAllowed, context.RequestAborted);
        await SayAsync(context, "unload");
    }

    // Triton answers nothing but the status, which its clients look at; KServe's read the body.
    private static Task SayAsync(HttpContext context, string done) => ProtoJson.WriteAsync(context, StatusCodes.Status200OK, writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("name", context.Model());
        writer.WriteBoolean(done, true);
        writer.WriteEndObject();
    });

    private static JsonElement.ObjectEnumerator Parameters(JsonElement body)
    {
        if (!body.TryGetProperty("parameters", out var parameters)) return default;
        return parameters.ValueKind == JsonValueKind.Object ? parameters.EnumerateObject() : throw new BadRequestException("'parameters' must be an object.");
    }

    private static byte[] Bytes(JsonProperty parameter) =>
        parameter.Value.ValueKind == JsonValueKind.String && parameter.Value.TryGetBytesFromBase64(out var bytes) ? bytes : throw new BadRequestException($"The value of '{ShownText.Of(parameter.Name)}' must be base64.");

    private static string? Named(HttpContext context) => (string?)context.Request.RouteValues["repository"];
}
