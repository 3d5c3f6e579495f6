using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Models.Archives;
using Serve.Core.Models.Repository;
using Serve.Core.Models.Sources;

namespace Serve.Core.Models;

/// <summary>
/// The folder with the models that can be registered: <c>NAME/VERSION/</c> folders, <c>NAME/</c> folders without versions
/// (then it is 1.0), archives <c>*.mar</c>, <c>*.tar.gz</c> and <c>*.tgz</c>, and bare <c>NAME.onnx</c> files. What lies outside it can only be named by a <c>file://</c> URL that <c>allowedUrls</c> permits.
/// </summary>
/// <param name="configuration">The server's: the store's path, and defaults for models.</param>
/// <param name="unpackFolder">A private folder where archives are unpacked; made when it is needed.</param>
/// <param name="limits">What archives may contain; null: the defaults.</param>
public sealed class ModelStore(ServerConfiguration configuration, string unpackFolder, ArchiveLimits? limits = null)
{
    private readonly UnpackedFolders _unpacked = new(unpackFolder);
    private readonly AllowedUrls _allowed = new(configuration.AllowedUrls);
    private readonly ArchiveLimits _limits = limits ?? new ArchiveLimits();

    /// <summary>The store's folder.</summary>
    public string Root { get; } = Path.GetFullPath(configuration.ModelStore);

    /// <summary>
    /// Everything in the store, by name, and by version within a name. Of archives the manifest is read, and nothing else; what
    /// is broken shows when it is opened.
    /// </summary>
    /// <exception cref="ModelNotFoundException">The store's folder does not exist.</exception>
    public IReadOnlyList<StoredModel> List()
    {
        if (!Directory.Exists(Root)) throw new ModelNotFoundException($"The model store {Root} does not exist; make the folder, or set modelStore.");

        return
        [
            .. Directory.EnumerateFileSystemEntries(Root)
                .Where(path => !IsHidden(path))
                .SelectMany(ListEntry)
                .OrderBy(model => model.Name, StringComparer.Ordinal)
                .ThenBy(model => model.Version, VersionOrder.Instance)
                .ThenBy(model => model.Url, StringComparer.Ordinal),
        ];
    }

    /// <summary>
    /// The URLs that <c>loadModels</c> means, in the order in which they are registered: everything for <c>all</c>, every
    /// version of a model that is given by name, a bare file too; the highest version of a name comes last and becomes its default. What is
    /// not in the store is returned as it is, so that opening it says so.
    /// </summary>
    /// <exception cref="ModelNotFoundException">The store's folder does not exist.</exception>
    public IReadOnlyList<string> AtStartup()
    {
        var wanted = configuration.LoadModels;
        if (wanted.Count == 0 || wanted is ["none"]) return [];

        var stored = List();
        if (wanted is ["all"]) return [.. stored.Select(model => model.Url)];

        return
        [
            .. wanted.SelectMany(name =>
            {
                var versions = stored.Where(model => model.Name == name && model.Kind is not StoredModelKind.Archive).Select(model => model.Url).ToList();
                return versions.Count > 0 ? versions : [name];
            }).Distinct(StringComparer.Ordinal),
        ];
    }

    /// <summary>Finds what a URL of the management API names.</summary>
    /// <param name="url">
    /// A path in the store: <c>NAME</c> (its highest version, or <c>NAME.onnx</c>), <c>NAME/VERSION</c>, <c>x.mar</c>, <c>x.onnx</c>; or a
    /// <c>file://</c> URL of one of them; or one of an allowed file or folder elsewhere.
    /// </param>
    /// <exception cref="ModelNotFoundException">Nothing there, with TorchServe's text.</exception>
    /// <exception cref="DownloadArchiveException">The URL points to another machine.</exception>
    public StoredModel Resolve(string url)
    {
        ArgumentNullException.ThrowIfNull(url);
        if (OutsideStore(url) is { } outside) return Outside(outside, url) ?? throw new ModelNotFoundException($"Model not found at: {url}");

        var relative = InStore(url);
        var path = Path.Combine(Root, relative);

        if (!Path.Exists(path) && File.Exists($"{path}.onnx")) (path, relative) = ($"{path}.onnx", $"{relative}.onnx");
        if (File.Exists(path)) return ListEntry(path).FirstOrDefault() is { } model ? model with { Url = relative } : throw NotAModel(path);
        if (!Directory.Exists(path)) throw new ModelNotFoundException($"Model not found at: {url}");
        if (ModelFolder.Is(path)) return FolderModel(path, relative);

        var versions = ListEntry(path).OrderByDescending(model => model.Version, VersionOrder.Instance).ToList();
        return versions.Count > 0 ? versions[0] : throw NotAModel(path);
    }

    /// <summary>Opens what a URL names; unpacks it first if it is an archive.</summary>
    /// <param name="url">As for <see cref="Resolve"/>.</param>
    /// <param name="name">The name to register under; null: the model's own.</param>
    /// <param name="handler">The handler to serve it with; null: the model's own.</param>
    /// <param name="sha256">What the file's SHA-256 must be; null: anything.</param>
    /// <param name="cancellation">Stops unpacking.</param>
    /// <exception cref="ServeException">What is missing or wrong.</exception>
    public ModelSource Open(string url, string? name = null, string? handler = null, byte[]? sha256 = null, CancellationToken cancellation = default)
    {
        if (name is not null && ModelNames.Fault(name) is { } fault) throw new BadRequestException($"The model's name \"{name}\" {fault}.");

        var model = Resolve(url);
        if (sha256 is not null) CheckSum(model, sha256);
        return Open(name is null ? model : model with { Name = name }, handler, cancellation);
    }

    /// <summary>Opens a file that was fetched.</summary>
    /// <param name="path">The file.</param>
    /// <param name="url">What describe calls it.</param>
    /// <param name="name">The name to register under; null: the model's own.</param>
    /// <param name="handler">The handler to serve it with; null: the model's own.</param>
    /// <param name="cancellation">Stops unpacking.</param>
    /// <exception cref="ServeException">What is missing or wrong.</exception>
    internal ModelSource OpenOutside(string path, string url, string? name, string? handler, CancellationToken cancellation = default)
    {
        var model = Outside(path, url) ?? throw new ModelNotFoundException($"Model not found at: {path}");
        return Open(name is null ? model : model with { Name = name }, handler, cancellation);
    }

    /// <summary>A path below the runtime folder that does not exist yet, and goes at the next start if it is left there.</summary>
    /// <param name="what">A word for people.</param>
    internal string NextUnpacked(string what) => _unpacked.Next(what);

    /// <summary>Opens a model of the store; unpacks it first if it is an archive.</summary>
    /// <param name="model">From <see cref="List"/> or <see cref="Resolve"/>.</param>
    /// <param name="handler">The handler to serve it with; null: the model's own.</param>
    /// <param name="cancellation">Stops unpacking.</param>
    /// <exception cref="ServeException">What is missing or wrong.</exception>
    public ModelSource Open(StoredModel model, string? handler = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (ModelNames.Fault(model.Name) is { } name) throw new InvalidModelException($"{model.Path}: the model's name \"{model.Name}\" {name}.");
        if (ModelNames.Fault(model.Version) is { } version) throw new InvalidModelException($"{model.Path}: the version's name \"{model.Version}\" {version}.");

        // Before: what changes while it is opened counts as changed.
        var stamp = FilesStamp.Of(model.Path);
        var source = model.Kind switch
        {
            StoredModelKind.Archive => OpenArchive(model, handler, cancellation),
            StoredModelKind.OnnxFile => OpenFile(model),
            _ => ModelFolder.Open(model.Path, model, configuration, handler),
        };
        return source with { Stamp = stamp };
    }

    private ModelSource OpenArchive(StoredModel model, string? handler, CancellationToken cancellation)
    {
        var folder = _unpacked.Next(model.Name);
        ModelArchive.Extract(model.Path, folder, _limits, cancellation);
        try
        {
            return ModelFolder.Open(folder, model, configuration, handler) with { IsTemporary = true };
        }
        catch
        {
            UnpackedFolders.Remove(folder);
            throw;
        }
    }

    private ModelSource OpenFile(StoredModel model) => new()
    {
        Name = model.Name,
        Version = model.Version,
        Url = model.Url,
        Folder = Path.GetDirectoryName(model.Path)!,
        Configuration = BareModel.Of(ModelConfigurationReader.Defaults(configuration)) with { Handler = "tensor", ModelFile = Path.GetFileName(model.Path) },
        WrittenKeys = new HashSet<string>(),
    };

    /// <summary>The path of an allowed <c>file://</c> URL outside the store; null for what is not one.</summary>
    private string? OutsideStore(string url)
    {
        if (!IsFileUrl(url) || url.Contains("..", StringComparison.Ordinal)) return null;
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || !uri.IsLoopback) throw new ModelNotFoundException($"Given URL {url} does not match any allowed URL(s)");
        if (IsInStore(uri.LocalPath)) return null;

        _allowed.Check(uri, url);
        return uri.LocalPath;
    }

    /// <summary>A model outside the store; null if there is none.</summary>
    private StoredModel? Outside(string path, string url)
    {
        if (File.Exists(path)) return ListFile(path, url);
        return Directory.Exists(path) && ModelFolder.Is(path) ? FolderModel(path, url, Path.GetFileName(path.TrimEnd('/'))) : null;
    }

    private static void CheckSum(StoredModel model, byte[] sha256)
    {
        if (model.Kind is StoredModelKind.Folder) throw new BadRequestException($"Parameter sha256 is the sum of a file, and {model.Url} is a folder.");
        Sha256Text.CheckFile(model.Path, sha256, model.Url);
    }

    /// <summary>The path in the store that a URL means, checked to stay there.</summary>
    private string InStore(string url)
    {
        if (url.Trim().Length == 0) throw new ModelNotFoundException("empty url");
        if (url.Contains("..", StringComparison.Ordinal)) throw new ModelNotFoundException($"Relative path is not allowed in url: {url}");
        if (ModelOpener.IsRemote(url)) throw new DownloadArchiveException($"Failed to download archive from: {AllowedUrls.Shown(url)}. Only a running server fetches models from other machines.");

        var relative = (IsFileUrl(url) ? new Uri(url).LocalPath[(Root.Length + 1)..] : url).TrimEnd('/');
        return RelativePath.Fault(relative) is null && !relative.Split('/').Any(IsHidden) ? relative : throw new ModelNotFoundException($"Model not found at: {url}");
    }

    private static bool IsFileUrl(string url) => url.StartsWith("file://", StringComparison.OrdinalIgnoreCase);

    private bool IsInStore(string path) => path.StartsWith(Root + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    /// <summary>The models of one entry of the store's folder.</summary>
    private IEnumerable<StoredModel> ListEntry(string path)
    {
        var url = Path.GetRelativePath(Root, path).Replace('\\', '/');
        if (File.Exists(path)) return ListFile(path, url) is { } model ? [model] : [];

        if (ModelFolder.Is(path)) return [FolderModel(path, url)];

        return Directory.EnumerateDirectories(path, "*", ModelFolder.Accessible)
            .Where(folder => !IsHidden(folder) && ModelFolder.Is(folder))
            .Select(folder => FolderModel(folder, $"{url}/{Path.GetFileName(folder)}"));
    }

    private StoredModel? ListFile(string path, string url)
    {
        if (ModelArchive.Stem(Path.GetFileName(path)) is { } stem) return ArchiveModel(path, stem, url);
        if (!path.EndsWith(".onnx", StringComparison.OrdinalIgnoreCase)) return null;
        return new StoredModel(Path.GetFileNameWithoutExtension(path), ModelNames.DefaultVersion, url, path, StoredModelKind.OnnxFile);
    }

    /// <summary>A folder's name and version: its path says them; where the path has no version, the manifest may.</summary>
    private static StoredModel FolderModel(string path, string url)
    {
        var separator = url.IndexOf('/', StringComparison.Ordinal);
        if (separator >= 0) return new StoredModel(url[..separator], url[(separator + 1)..], url, path, StoredModelKind.Folder);

        return FolderModel(path, url, url);
    }

    private static StoredModel FolderModel(string path, string url, string name)
    {
        var manifest = ManifestOrNull(() => ModelFolder.ReadManifest(path));
        return new StoredModel(manifest?.ModelName ?? name, manifest?.ModelVersion ?? ModelNames.DefaultVersion, url, path, StoredModelKind.Folder);
    }

    private StoredModel ArchiveModel(string path, string stem, string url)
    {
        var manifest = ManifestOrNull(() => ModelArchive.ReadManifest(path, _limits));
        return new StoredModel(manifest?.ModelName ?? stem, manifest?.ModelVersion ?? ModelNames.DefaultVersion, url, path, StoredModelKind.Archive);
    }

    /// <summary>A list must not fail for one broken model: opening that one does, with the reason.</summary>
    private static ModelManifest? ManifestOrNull(Func<ModelManifest?> read)
    {
        try
        {
            return read();
        }
        catch (InvalidModelException)
        {
            return null;
        }
    }

    private static bool IsHidden(string path) => Path.GetFileName(path).StartsWith('.');

    private static InvalidModelException NotAModel(string path) =>
        new($"{path} is no model: there is neither {ModelConfigurationReader.FileName}, nor an *.onnx file, nor a handler's assembly, nor an archive (*.mar, *.tar.gz, *.tgz).");
}
