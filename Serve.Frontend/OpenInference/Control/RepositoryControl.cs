using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Core.Models.Repository;
using Serve.Frontend.Hosting;
using Serve.Frontend.OpenInference.Messages;

namespace Serve.Frontend.OpenInference.Control;

/// <summary>The model repository: what there is, loading and unloading, over the registry that the management API changes as well.</summary>
/// <param name="registry">The registry.</param>
/// <param name="loading">Whether the server still starts.</param>
internal sealed class RepositoryControl(ModelRegistry registry, ModelLoading loading)
{
    private const string FilePrefix = "file:";

    /// <summary>What there is.</summary>
    /// <param name="repository">Must be empty: there is one repository, without a name.</param>
    /// <param name="onlyReady">Only versions that take requests.</param>
    /// <exception cref="ServeException">501.</exception>
    public RepositoryIndexResponse Index(string? repository, bool onlyReady)
    {
        RefuseNamed(repository);
        var index = new RepositoryIndexResponse();
        index.Models.AddRange(registry.Index().Where(entry => !onlyReady || entry.State == ModelState.Ready).Select(Entry));
        return index;
    }

    /// <summary>Loads a model, or loads it again.</summary>
    /// <param name="repository">Must be empty.</param>
    /// <param name="model">The model's name.</param>
    /// <param name="config">A configuration to serve it with, as JSON; null: its own.</param>
    /// <param name="files">Its files, by <c>VERSION/PATH</c>; empty: those of the store.</param>
    /// <param name="isAllowed">Whether the interface may.</param>
    /// <param name="cancellation">Stops waiting.</param>
    /// <exception cref="ServeException">400, 404, 500, 501, 503, 507. What was served is served still.</exception>
    public async Task LoadAsync(string? repository, string model, string? config, IReadOnlyList<ModelFileContent> files, bool isAllowed, CancellationToken cancellation)
    {
        RefuseNamed(repository);
        Require(model, isAllowed);
        if (files.Count > 0 && config is null) throw Failed(model, new BadRequestException("override model config must be specified along with the override files"));
        try
        {
            var wanted = config is null ? null : ConfigOverride.Parse(model, config);
            var version = VersionOf(files);
            if (version is not null && wanted?.Policy?.Allows(version) == false) throw new BadRequestException($"the files are of version {version}, which the config's version_policy leaves out");
            await registry.LoadAsync(
                new ModelLoad(model)
                {
                    Version = version,
                    Policy = wanted?.Policy,
                    Overrides = wanted?.Keys,
                    Files = [.. files.Select(file => file with { Path = file.Path[(file.Path.IndexOf('/', StringComparison.Ordinal) + 1)..] })],
                    Check = wanted is null ? null : wanted.FaultOf,
                },
                cancellation);
        }
        catch (ServeException e) when (e is not ClientGoneException)
        {
            throw Failed(model, e);
        }
    }

    /// <summary>Unloads all versions of a model.</summary>
    /// <param name="repository">Must be empty.</param>
    /// <param name="model">The model's name.</param>
    /// <param name="isAllowed">Whether the interface may.</param>
    /// <param name="cancellation">Stops waiting.</param>
    /// <exception cref="ServeException">404, 408, 501, 503.</exception>
    public async Task UnloadAsync(string? repository, string model, bool isAllowed, CancellationToken cancellation)
    {
        RefuseNamed(repository);
        Require(model, isAllowed);
        await registry.UnloadAsync(model, cancellation);
    }

    /// <summary>The path of a parameter that has a file; null: it has none.</summary>
    public static string? FileOf(string parameter) => parameter.StartsWith(FilePrefix, StringComparison.Ordinal) ? parameter[FilePrefix.Length..] : null;

    private void Require(string model, bool isAllowed)
    {
        if (!isAllowed) throw new ServeException(StatusCodes.Status503ServiceUnavailable, "ServiceUnavailableException", "explicit model load / unload is not allowed if polling is enabled, or where openInference.modelControl is none");
        if (model.Length == 0) throw new BadRequestException("The model's name is missing.");
        if (!loading.IsDone) throw ModelLoading.NotYet(model);
    }

    private static RepositoryIndexResponse.Types.ModelIndex Entry(IndexEntry entry) => new()
    {
        Name = entry.Model,
        Version = entry.Version ?? "",
        State = entry.State switch
        {
            ModelState.Ready => "READY",
            ModelState.Loading or ModelState.Recovering => "LOADING",
            ModelState.Draining => "UNLOADING",
            null when entry.Version is null => "",
            _ => "UNAVAILABLE",
        },
        Reason = entry.Reason ?? (entry.State == ModelState.Idle ? "it has no workers" : ""),
    };

    private static string? VersionOf(IReadOnlyList<ModelFileContent> files)
    {
        if (files.Count == 0) return null;
        var versions = files.Select(file => file.Path.IndexOf('/', StringComparison.Ordinal) is > 0 and var slash ? file.Path[..slash] : throw new BadRequestException($"the file's path '{file.Path}' must begin with a version: file:1/model.onnx")).Distinct().ToList();
        return versions.Count == 1 ? versions[0] : throw new BadRequestException($"the files are of {versions.Count} versions; one is loaded at a time");
    }

    private static void RefuseNamed(string? repository)
    {
        if (!string.IsNullOrEmpty(repository)) throw new NotAvailableException("'repository_name' specification is not supported");
    }

    private static ServeException Failed(string model, ServeException e) => new(e.Status, e.Type, $"failed to load '{ShownText.Of(model)}', {e.Message}", e) { RetryAfter = e.RetryAfter };
}
