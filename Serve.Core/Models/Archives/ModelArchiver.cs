using System.Formats.Tar;
using System.IO.Compression;
using System.Reflection;
using Serve.Core.Configuration;
using Serve.Core.Errors;

namespace Serve.Core.Models.Archives;

/// <summary>Packs a model's files into an archive that <see cref="ModelStore"/> opens, checked like one before it is written.</summary>
public static class ModelArchiver
{
    private static readonly string[] ExternalDataSuffixes = [".data", "_data"];

    /// <summary>Makes an archive. It appears under its name only when it is complete.</summary>
    /// <param name="request">What to pack.</param>
    /// <param name="cancellation">Stops between two files, and while they are packed between two blocks; what was written is removed.</param>
    /// <returns>The archive's path.</returns>
    /// <exception cref="ServeException">What is missing or wrong.</exception>
    public static string Create(ArchiveRequest request, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (ModelNames.Fault(request.ModelName) is { } name) throw new InvalidModelException($"The model's name \"{request.ModelName}\" {name}.");
        if (ModelNames.Fault(request.Version) is { } version) throw new InvalidModelException($"The version's name \"{request.Version}\" {version}.");

        var handler = Handler(request, out var assembly);
        var folder = Path.GetFullPath(request.ExportPath);
        var target = Path.Combine(folder, request.ModelName + Extension(request.Format));
        if (!request.Force && Path.Exists(target)) throw new InvalidModelException($"{target} exists already; remove it, or replace it with --force.");

        var files = Collect(request, assembly);
        if (request.Format is ArchiveFormat.NoArchive) MustBeReplaceable(target, files.Keys);

        // Hidden: the folder may be a model store, and a server must not find half a model in it.
        var staging = Path.Combine(folder, $".{request.ModelName}.{Guid.NewGuid():N}.partial");
        try
        {
            Directory.CreateDirectory(staging);
            Stage(files, Manifest(request, handler), staging, cancellation);
            ModelFolder.Open(staging, new StoredModel(request.ModelName, request.Version, request.ModelName, staging, StoredModelKind.Folder), new ServerConfiguration());
            Publish(staging, target, request, cancellation);
            return target;
        }
        finally
        {
            if (Directory.Exists(staging)) Directory.Delete(staging, recursive: true);
        }
    }

    /// <summary>The handler as the manifest has it; an assembly that is given by its path is packed, at the archive's root.</summary>
    private static string? Handler(ArchiveRequest request, out string? assembly)
    {
        assembly = null;
        if (request.Handler is not { } text) return null;

        var separator = text.LastIndexOf(".dll:", StringComparison.OrdinalIgnoreCase);
        if (separator >= 0)
        {
            var path = text[..(separator + 4)];
            if (File.Exists(path)) assembly = path;
            if (assembly is not null) text = Path.GetFileName(path) + text[(separator + 4)..];
        }

        if (HandlerName.Parse(text, out var fault) is not null) return text;

        var folder = Path.GetDirectoryName(Path.GetFullPath(text.Split(':')[0]))!;
        if (PyTorchAdvice.PythonFile(folder, Path.GetFileName(text)) is not null) fault = $"{text} is a Python handler, and Serve runs no Python; {PyTorchAdvice.ForHandler(folder, new StoredModel(request.ModelName, request.Version, request.ModelName, folder, StoredModelKind.Folder), Path.GetFileName(text))}";
        throw new InvalidModelException($"--handler: {fault}.");
    }

    /// <summary>The files by their path in the archive.</summary>
    private static SortedDictionary<string, string> Collect(ArchiveRequest request, string? assembly)
    {
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        if (assembly is not null) AddFile(files, Path.GetFileName(assembly), assembly);
        foreach (var file in (string?[])[request.ConfigFile, request.ModelFile, request.RequirementsFile])
        {
            if (file is not null) AddFile(files, Path.GetFileName(file), file);
        }

        if (request.SerializedFile is { } model)
        {
            AddFile(files, Path.GetFileName(model), model);

            // Weights above 2 GiB lie in a file beside the model, under the name that the exporter chose; without it the model is of no use.
            foreach (var data in ExternalDataSuffixes.Select(suffix => model + suffix).Where(File.Exists)) AddFile(files, Path.GetFileName(data), data);
        }

        foreach (var extra in request.ExtraFiles)
        {
            if (!Directory.Exists(extra))
            {
                AddFile(files, Path.GetFileName(extra), extra);
                continue;
            }

            foreach (var file in Directory.EnumerateFiles(extra, "*", SearchOption.AllDirectories)) AddFile(files, Path.GetRelativePath(extra, file).Replace('\\', '/'), file);
        }

        return files;
    }

    private static void AddFile(SortedDictionary<string, string> files, string name, string path)
    {
        if (!File.Exists(path)) throw new InvalidModelException($"{path} does not exist.");
        if (name.Equals(ModelManifest.EntryName, StringComparison.OrdinalIgnoreCase)) throw new InvalidModelException($"{path}: the manifest is written by the archiver; leave the folder MAR-INF out.");
        if (RelativePath.Fault(name) is { } fault) throw new InvalidModelException($"{path}: its path in the archive, \"{name}\", {fault}.");
        if (files.TryGetValue(name, out var other) && Path.GetFullPath(other) != Path.GetFullPath(path)) throw new InvalidModelException($"{path} and {other} would both be {name} in the archive.");

        files[name] = path;
    }

    private static ModelManifest Manifest(ArchiveRequest request, string? handler) => new()
    {
        CreatedOn = DateTime.Now,
        Runtime = request.Runtime,
        ModelName = request.ModelName,
        ModelVersion = request.Version,
        SerializedFile = Path.GetFileName(request.SerializedFile),
        Handler = handler,
        ModelFile = Path.GetFileName(request.ModelFile),
        RequirementsFile = Path.GetFileName(request.RequirementsFile),
        ConfigFile = Path.GetFileName(request.ConfigFile),
        ArchiverVersion = typeof(ModelArchiver).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion,
    };

    private static void Stage(SortedDictionary<string, string> files, ModelManifest manifest, string staging, CancellationToken cancellation)
    {
        foreach (var (name, path) in files)
        {
            cancellation.ThrowIfCancellationRequested();
            var copy = Path.Combine(staging, name);
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(path, copy);
        }

        var manifestPath = Path.Combine(staging, ModelManifest.EntryName);
        Directory.CreateDirectory(Path.GetDirectoryName(manifestPath)!);
        File.WriteAllBytes(manifestPath, manifest.Write());
    }

    private static string Extension(ArchiveFormat format) => format switch
    {
        ArchiveFormat.NoArchive => "",
        ArchiveFormat.Tgz => ModelArchive.TarExtension,
        _ => ModelArchive.Extension,
    };

    /// <summary>
    /// What <c>--force</c> may replace: the folder of one version. In a model store the folder of that name may hold other versions,
    /// and elsewhere it may be anything.
    /// </summary>
    /// <param name="target">The folder, which may not be there.</param>
    /// <param name="files">What will lie in it: a folder that the new one has too is a part of the model, and no version.</param>
    private static void MustBeReplaceable(string target, IReadOnlyCollection<string> files)
    {
        if (File.Exists(target)) throw new InvalidModelException($"{target} is a file, which --force does not replace by a folder; remove it, or give another --export-path.");
        if (!Directory.Exists(target)) return;

        var versions = Directory.EnumerateDirectories(target, "*", ModelFolder.Accessible)
            .Where(ModelFolder.Is)
            .Select(folder => Path.GetFileName(folder))
            .Where(name => !files.Any(file => file.StartsWith(name + "/", StringComparison.Ordinal)))
            .Order(VersionOrder.Instance)
            .ToList();
        if (versions.Count > 0) throw new InvalidModelException($"{target} holds versions ({string.Join(", ", versions)}), which --force does not delete; give another --export-path, or remove them.");
        if (!ModelFolder.Is(target) && Directory.EnumerateFileSystemEntries(target).Any()) throw new InvalidModelException($"{target} is a folder without a model, which --force does not replace; remove it, or give another --export-path.");
    }

    private static void Publish(string staging, string target, ArchiveRequest request, CancellationToken cancellation)
    {
        if (request.Format is ArchiveFormat.NoArchive)
        {
            cancellation.ThrowIfCancellationRequested();
            PublishFolder(staging, target);
            return;
        }

        var packed = staging + ".packed";
        try
        {
            using (var file = new PackedFile(packed, cancellation))
            {
                if (request.Format is ArchiveFormat.Tgz) WriteTar(file, staging, request.ModelName);
                else WriteZip(file, staging, request.Format is ArchiveFormat.ZipStore ? CompressionLevel.NoCompression : CompressionLevel.Optimal);
            }

            // By the rules by which a server opens it: names that differ only in case, too many files, one that packs too well.
            ModelArchive.Check(packed, new ArchiveLimits(), Path.GetFileName(target), cancellation);
            File.Move(packed, target, overwrite: true);
        }
        finally
        {
            File.Delete(packed);
        }
    }

    /// <summary>Puts a folder in its place. What was there goes only then, and comes back if that fails: a folder cannot be replaced in one step.</summary>
    internal static void PublishFolder(string staging, string target)
    {
        if (!Directory.Exists(target))
        {
            Directory.Move(staging, target);
            return;
        }

        var old = staging + ".old";
        Directory.Move(target, old);
        try
        {
            Directory.Move(staging, target);
        }
        catch
        {
            Directory.Move(old, target);
            throw;
        }

        Directory.Delete(old, recursive: true);
    }

    private static void WriteZip(PackedFile target, string staging, CompressionLevel level)
    {
        using var zip = new ZipArchive(target, ZipArchiveMode.Create, leaveOpen: true);
        foreach (var (file, name) in FilesOf(staging)) zip.CreateEntryFromFile(file, name, level);
    }

    /// <summary>As torch-model-archiver does it, everything in a folder; but the manifest first, so that nobody has to unpack the weights to read it.</summary>
    private static void WriteTar(PackedFile target, string staging, string modelName)
    {
        using var packed = new GZipStream(target, CompressionLevel.Optimal, leaveOpen: true);
        using var tar = new TarWriter(packed, TarEntryFormat.Pax);
        foreach (var (file, name) in FilesOf(staging).OrderBy(file => file.Name != ModelManifest.EntryName))
        {
            using var content = File.OpenRead(file);

            // Not the file as it is: whoever packed it, and with which rights, is nobody's business.
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, $"{modelName}/{name}") { DataStream = content, ModificationTime = File.GetLastWriteTimeUtc(file) });
        }
    }

    private static IEnumerable<(string File, string Name)> FilesOf(string folder) => Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
        .Order(StringComparer.Ordinal)
        .Select(file => (file, Path.GetRelativePath(folder, file).Replace('\\', '/')));

    /// <summary>The archive while it is written: packing gigabytes takes minutes, and neither zip nor tar asks whether it is still wanted.</summary>
    private sealed class PackedFile(string path, CancellationToken cancellation) : FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None)
    {
        public override void Write(byte[] buffer, int offset, int count)
        {
            cancellation.ThrowIfCancellationRequested();
            base.Write(buffer, offset, count);
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            cancellation.ThrowIfCancellationRequested();
            base.Write(buffer);
        }
    }
}
