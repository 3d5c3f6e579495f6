using Microsoft.AspNetCore.Http;
using Serve.Core.Models;
using Serve.Management.Http;

namespace Serve.Management.Rest;

/// <summary><c>GET /models/{model}[/{version}|/all][?customized=true]</c>: always a list, one element a version.</summary>
internal sealed class DescribeModel(ModelRegistry registry)
{
    private const string AllVersions = "all";

    public async Task HandleAsync(HttpContext context)
    {
        var customized = RequestParameters.FromQuery(context).Flag("customized") ?? false;
        var versions = await DescribeAsync(context.Model(), context.Version(), customized, context.RequestAborted);
        await PrettyJson.WriteAsync(context, StatusCodes.Status200OK, versions, ManagementJson.Default.ListVersionBody);
    }

    /// <summary>Describes a model.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="version">A version, <c>all</c>, or null for the default.</param>
    /// <param name="customized">Whether the handler is asked what it has to say about itself.</param>
    /// <param name="cancellation">Cancelled when nobody waits for it any more.</param>
    public async Task<List<VersionBody>> DescribeAsync(string model, string? version, bool customized, CancellationToken cancellation)
    {
        IReadOnlyList<ModelVersion> versions = version == AllVersions ? registry.Versions(model) : [registry.Resolve(model, version)];
        var answer = new List<VersionBody>(versions.Count);
        foreach (var described in versions)
        {
            var body = VersionBody.From(described.Describe());
            answer.Add(customized ? body with { CustomizedMetadata = await described.DescribeHandlerAsync(cancellation) } : body);
        }

        return answer;
    }
}
