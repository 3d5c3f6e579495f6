using Serve.Core.Errors;
using Serve.Core.Models.Archives;

namespace Serve.Core.Models.Sources;

/// <summary>
/// The archives that were fetched from other machines. Each belongs to the version that was registered from it and goes
/// when that does. A file is there whole, or not at all.
/// </summary>
/// <param name="folder">Where they lie; made when it is needed. Nobody else writes there.</param>
/// <param name="fetcher">What fetches them; null: nothing can.</param>
internal sealed class Downloads(string folder, IArchiveFetcher? fetcher)
{
    private const string Partial = ".partial";

    /// <summary>The file of a name in the folder.</summary>
    public string PathOf(string file) => Path.Combine(folder, file);

    /// <summary>Removes what no registration names: downloads that a killed server had begun, or that were not registered any more.</summary>
    /// <param name="wanted">The names of files to keep.</param>
    public void RemoveOthers(IReadOnlySet<string> wanted)
    {
        if (!Directory.Exists(folder)) return;
        foreach (var file in Directory.EnumerateFiles(folder).Where(file => !wanted.Contains(Path.GetFileName(file)))) File.Delete(file);
    }

    /// <summary>Fetches an archive: to a temporary file, which gets its name when it is complete and its sum is right.</summary>
    /// <param name="url">An allowed URL; the last part of its path is the file's name.</param>
    /// <param name="asGiven">The URL as the client has it.</param>
    /// <param name="sha256">What its SHA-256 must be; null: anything.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <returns>The file's name in the folder.</returns>
    /// <exception cref="ServeException">With TorchServe's types and texts; nothing is left.</exception>
    public async Task<string> FetchAsync(Uri url, string asGiven, byte[]? sha256, CancellationToken cancellation)
    {
        if (fetcher is null) throw new DownloadArchiveException($"Failed to download archive from: {AllowedUrls.Shown(asGiven)}. This program does not fetch from other machines.");

        var name = FileName(url, asGiven);
        var path = PathOf(name);
        if (File.Exists(path)) throw new InternalServerException($"Model file already exists {name}");

        var temporary = $"{path}.{Guid.NewGuid():N}{Partial}";
        try
        {
            MakeFolder();
            var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0, useAsync: true);
            await using (file.ConfigureAwait(false))
            {
                using var hashing = new HashingStream(file);
                await fetcher.FetchAsync(url, hashing, cancellation).ConfigureAwait(false);
                if (sha256 is not null) Sha256Text.Check(hashing.Sum, sha256, asGiven);

                // What is registered from it is about to be promised to survive.
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: false);
            return name;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            if (File.Exists(path)) throw new InternalServerException($"Model file already exists {name}", error);
            if (error is IOException full && DiskSpace.IsExhausted(full)) throw new OutOfResourcesException($"There is no room in {folder} for {AllowedUrls.Shown(asGiven)}.", error);
            throw new InternalServerException($"Failed to save model: {AllowedUrls.Shown(asGiven)}: {error.Message}", error);
        }
        finally
        {
            if (File.Exists(temporary)) File.Delete(temporary);
        }
    }

    /// <summary>Takes over a file of this machine as one that was fetched.</summary>
    /// <param name="path">An archive; it is gone then.</param>
    /// <param name="model">Whose it is, for people.</param>
    /// <returns>The file's name in the folder.</returns>
    public string Adopt(string path, string model)
    {
        MakeFolder();
        var name = $"{model}-{Guid.NewGuid():N}{ModelArchive.Extension}";
        var temporary = PathOf(name) + Partial;
        try
        {
            // What is registered from it is about to be promised to survive.
            using (var source = File.OpenRead(path))
            using (var target = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                source.CopyTo(target);
                target.Flush(flushToDisk: true);
            }

            File.Move(temporary, PathOf(name));
            return name;
        }
        finally
        {
            if (File.Exists(temporary)) File.Delete(temporary);
        }
    }

    /// <summary>Removes a download whose version is gone.</summary>
    public void Remove(string file)
    {
        try
        {
            File.Delete(PathOf(file));
        }
        catch (DirectoryNotFoundException)
        {
            // The server stops, and has removed them all.
        }
    }

    /// <summary>Removes the folder with everything in it.</summary>
    public void RemoveAll()
    {
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
    }

    private void MakeFolder()
    {
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(folder);
        else Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private static string FileName(Uri url, string asGiven)
    {
        var name = Uri.UnescapeDataString(url.Segments[^1]);
        var stem = ModelArchive.Stem(name) ?? (name.EndsWith(".onnx", StringComparison.OrdinalIgnoreCase) ? name[..^5] : null);
        if (stem is null) throw new DownloadArchiveException($"Failed to download archive from: {AllowedUrls.Shown(asGiven)}. The URL's path must end in the name of a .mar, .tar.gz, .tgz or .onnx file.");
        return ModelNames.Fault(stem) is { } fault ? throw new DownloadArchiveException($"Failed to download archive from: {AllowedUrls.Shown(asGiven)}. The file's name \"{stem}\" {fault}.") : name;
    }
}
