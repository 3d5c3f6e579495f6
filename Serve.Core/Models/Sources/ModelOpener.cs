using Serve.Core.Errors;
using Serve.Core.Models.Snapshots;

namespace Serve.Core.Models.Sources;

/// <summary>Opens models, wherever they come from: the store, a file elsewhere, another machine.</summary>
internal sealed class ModelOpener(ModelStore store, AllowedUrls allowed, Downloads downloads)
{
    /// <summary>Whether a URL is not of this machine.</summary>
    public static bool IsRemote(string url) => url.Contains("://", StringComparison.Ordinal) && !url.StartsWith("file://", StringComparison.OrdinalIgnoreCase);

    /// <summary>Opens what a registration names; fetches it first if it is elsewhere.</summary>
    /// <param name="request">The registration.</param>
    /// <param name="cancellation">Stops fetching; what lies in the store is opened to the end.</param>
    /// <exception cref="ServeException">What is missing or wrong; nothing is left of it.</exception>
    public async Task<ModelSource> OpenAsync(RegistrationRequest request, CancellationToken cancellation)
    {
        var sha256 = request.Sha256 is { } text ? Sha256Text.Parse(text) : null;
        if (Remote(request.Url) is not { } url) return await Task.Run(() => store.Open(request.Url, request.ModelName, request.Handler, sha256, CancellationToken.None), CancellationToken.None).ConfigureAwait(false);
        if (request.ModelName is { } name && ModelNames.Fault(name) is { } fault) throw new BadRequestException($"The model's name \"{name}\" {fault}.");

        var file = await downloads.FetchAsync(url, request.Url, sha256, cancellation).ConfigureAwait(false);
        return await Task.Run(() => OpenDownload(file, request), CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>Opens a version that was registered before a restart.</summary>
    /// <exception cref="ServeException">What is missing or wrong.</exception>
    public ModelSource Reopen(string model, VersionSnapshot version, CancellationToken cancellation)
    {
        var source = version.Download is { } file
            ? store.OpenOutside(downloads.PathOf(file), version.Url, model, version.Handler, cancellation: cancellation) with { Download = file }
            : store.Open(version.Url, model, version.Handler, cancellation: cancellation);
        if (source.Version == version.Version) return source;

        source.Dispose();
        throw new InvalidModelException($"{version.Url} holds version {source.Version} now; it was registered with version {version.Version}");
    }

    /// <summary>Removes what was unpacked and fetched for a version that is registered no more. No worker may use it.</summary>
    public void Discard(ModelSource source)
    {
        source.Dispose();
        if (source.Download is { } file) downloads.Remove(file);
    }

    /// <summary>Opens a file among the downloads.</summary>
    /// <param name="file">Its name; removed if it cannot be opened.</param>
    /// <param name="request">The registration.</param>
    public ModelSource OpenDownload(string file, RegistrationRequest request)
    {
        try
        {
            return store.OpenOutside(downloads.PathOf(file), AllowedUrls.Shown(request.Url), request.ModelName, request.Handler) with { Download = file };
        }
        catch
        {
            downloads.Remove(file);
            throw;
        }
    }

    /// <summary>A URL on another machine, allowed; null for what lies on this one.</summary>
    private Uri? Remote(string url)
    {
        if (!IsRemote(url)) return null;
        if (url.Contains("..", StringComparison.Ordinal)) throw new ModelNotFoundException($"Relative path is not allowed in url: {AllowedUrls.Shown(url)}");
        if (url[..url.IndexOf("://", StringComparison.Ordinal)].ToLowerInvariant() is not ("http" or "https"))
        {
            throw new DownloadArchiveException($"Failed to download archive from: {AllowedUrls.Shown(url)}. Only file, http and https URLs are understood; give a pre-signed https URL of the object (docs/rest-api.md).");
        }

        if (!Uri.TryCreate(url, UriKind.Absolute, out var parsed)) throw new DownloadArchiveException($"Failed to download archive from: {AllowedUrls.Shown(url)}. It is no URL.");

        allowed.Check(parsed, url);
        return parsed;
    }
}
