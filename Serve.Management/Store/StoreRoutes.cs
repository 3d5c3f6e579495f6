using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Management.Http;
using Serve.Management.Http.OpenApi;

namespace Serve.Management.Store;

/// <summary>The model store: what in it can be registered, and how something gets there.</summary>
public static class StoreRoutes
{
    private static readonly ApiOperation ListOperation = new("listArchives")
    {
        Answers = [new(StatusCodes.Status200OK, "Models in the store that are not registered.", ApiContent.Of(StoreJson.Default.ArchiveList))],
        Errors = [404],
    };

    private static readonly ApiOperation UploadOperation = new("uploadArchive")
    {
        Body = [new("application/octet-stream", ApiShape.Binary)],
        Answers = [new(StatusCodes.Status201Created, "It is in the store; it is not registered yet.", ApiContent.Of(StoreJson.Default.ArchiveBody))],
        Errors = [400, 403, 405, 409, 413, 500, 507],
    };

    /// <summary>Maps them.</summary>
    /// <param name="routes">The management listener's routes.</param>
    /// <param name="registry">The models.</param>
    /// <param name="enableModelApi">Whether models may be registered, and thus brought.</param>
    /// <param name="isGuarded">Whether the listener asks who calls: only then may an archive bring programs.</param>
    public static void MapStore(this IEndpointRouteBuilder routes, ModelRegistry registry, bool enableModelApi, bool isGuarded)
    {
        routes.MapGet("/archives", ListAsync).WithTags("Model store").WithSummary("Lists what is in the model store and not registered").Describes(ListOperation);
        routes.MapPut("/archives/{fileName}", UploadAsync).WithTags("Model store").WithSummary("Takes an archive or an ONNX file into the model store").Describes(UploadOperation);

        Task ListAsync(HttpContext context) =>
            PrettyJson.WriteAsync(context, StatusCodes.Status200OK, new ArchiveList([.. registry.Unregistered().Select(ArchiveBody.From)]), StoreJson.Default.ArchiveList);

        async Task UploadAsync(HttpContext context)
        {
            if (!enableModelApi) throw new MethodNotAllowedException();
            CrossSite.Refuse(context.Request);
            var name = (string)context.Request.RouteValues["fileName"]!;
            var model = await registry.UploadAsync(name, context.Request.Body, context.Request.ContentLength, isGuarded, context.RequestAborted);
            await PrettyJson.WriteAsync(context, StatusCodes.Status201Created, ArchiveBody.From(model), StoreJson.Default.ArchiveBody);
        }
    }
}
