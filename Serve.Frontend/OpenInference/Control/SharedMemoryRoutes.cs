using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Serve.Core.Errors;
using Serve.Frontend.OpenInference.SharedMemory;
using Serve.Management.Http;

namespace Serve.Frontend.OpenInference.Control;

/// <summary>Regions of shared memory over REST: the system's, and those of GPUs, of which there are none.</summary>
internal static class SharedMemoryRoutes
{
    public const string NoCuda = "CUDA shared memory is not available in this server.";

    public static void MapSharedMemory(this IEndpointRouteBuilder routes, SharedMemoryRegions regions)
    {
        foreach (var path in (string[])["systemsharedmemory/status", "systemsharedmemory/region/{region}/status"])
        {
            routes.MapGet(path, context => StatusAsync(context, regions.Status(Region(context)))).WithSummary("The regions of shared memory");
        }

        routes.MapPost("systemsharedmemory/region/{region}/register", async context =>
        {
            CrossSite.Refuse(context.Request);
            using var document = await JsonBody.ReadAsync(context);
            var body = document.RootElement;
            var key = body.Text("key") ?? throw new BadRequestException("'key' is missing.");
            regions.Register(Region(context)!, key, body.Number("offset") ?? 0, body.Number("byte_size") ?? throw new BadRequestException("'byte_size' is missing."));
        }).WithSummary("Registers a region of shared memory");
        foreach (var path in (string[])["systemsharedmemory/unregister", "systemsharedmemory/region/{region}/unregister"])
        {
            routes.MapPost(path, context => UnregisterAsync(context, () => regions.Unregister(Region(context)))).WithSummary("Unregisters regions of shared memory");
        }

        foreach (var path in (string[])["cudasharedmemory/status", "cudasharedmemory/region/{region}/status"])
        {
            routes.MapGet(path, static context => StatusAsync(context, [])).WithSummary("None: there is no shared memory of GPUs");
        }

        routes.MapPost("cudasharedmemory/region/{region}/register", static _ => throw new NotAvailableException(NoCuda)).WithSummary("Not available");
        foreach (var path in (string[])["cudasharedmemory/unregister", "cudasharedmemory/region/{region}/unregister"])
        {
            // Clients tidy up both kinds before they begin.
            routes.MapPost(path, context => UnregisterAsync(context, regions.RequireEnabled)).WithSummary("Nothing to do: there is no shared memory of GPUs");
        }
    }

    private static Task UnregisterAsync(HttpContext context, Action unregister)
    {
        CrossSite.Refuse(context.Request);
        unregister();
        return Task.CompletedTask;
    }

    private static Task StatusAsync(HttpContext context, IReadOnlyList<SharedMemoryRegion> regions) => ProtoJson.WriteAsync(context, StatusCodes.Status200OK, writer =>
    {
        writer.WriteStartArray();
        foreach (var region in regions)
        {
            writer.WriteStartObject();
            writer.WriteString("name", region.Name);
            writer.WriteString("key", region.Key);
            writer.WriteNumber("offset", region.Offset);
            writer.WriteNumber("byte_size", region.Bytes);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    });

    private static string? Region(HttpContext context) => (string?)context.Request.RouteValues["region"];
}
