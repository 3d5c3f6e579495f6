using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Management.Http;

namespace Serve.Management.Rest;

/// <summary><c>GET /models/{model}[/{version}|/all][?customized=true]</c>: always a list, one element a version.</summary>
internal sealed class DescribeModel(ModelRegistry registry)
{
    private const string AllVersions = "all";

    public Task HandleAsync(HttpContext context)
    {
        var customized = RequestParameters.FromQuery(context).Flag("customized") ?? false;
        return PrettyJson.WriteAsync(context, StatusCodes.Status200OK, Describe(context.Model(), context.Version(), customized), ManagementJson.Default.ListVersionBody);
    }

    /// <summary>Describes a model.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="version">A version, <c>all</c>, or null for the default.</param>
    /// <param name="customized">Whether the model's inputs and outputs are wanted as TorchServe's customized metadata.</param>
    public List<VersionBody> Describe(string model, string? version, bool customized)
    {
        IReadOnlyList<ModelVersion> versions = version == AllVersions ? registry.Versions(model) : [registry.Resolve(model, version)];
        var answer = versions.Select(version => VersionBody.From(version.Describe(), customized)).ToList();
        if (customized) RequireSignatures(answer);
        return answer;
    }

    // The model itself is asked in TorchServe, so it takes a worker that has loaded it.
    private static void RequireSignatures(List<VersionBody> versions)
    {
        foreach (var version in versions)
        {
            if (version.CustomizedMetadata is null && version.State is not ModelState.Ready)
            {
                throw new ServiceUnavailableException(
                    $"Model \"{version.ModelName}\" Version {version.ModelVersion} has no worker to serve describe request. Please use scale workers API to add workers.",
                    TimeSpan.FromSeconds(1));
            }
        }
    }
}
