using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Models.Archives;

namespace Serve.Core.Models.Repository;

/// <summary>Makes an archive of files that came with a request, so that they are kept, opened and removed as what was fetched is.</summary>
internal static class UploadedModel
{
    private const int MostFiles = 1000;

    /// <summary>Writes the archive.</summary>
    /// <param name="folder">A folder for it and for the files meanwhile; does not exist yet.</param>
    /// <param name="model">The model's name.</param>
    /// <param name="version">The version.</param>
    /// <param name="files">The files.</param>
    /// <returns>The archive's path, in the folder.</returns>
    /// <exception cref="ServeException">400: a file that may not be there.</exception>
    public static string Pack(string folder, string model, string version, IReadOnlyList<ModelFileContent> files)
    {
        if (ModelNames.Fault(model) is { } name) throw new BadRequestException($"The model's name \"{ShownText.Of(model)}\" {name}.");
        if (ModelNames.Fault(version) is { } number) throw new BadRequestException($"The version's name \"{ShownText.Of(version)}\" {number}.");
        if (files.Count > MostFiles) throw new BadRequestException($"There are {files.Count} files; at most {MostFiles} are allowed.");
        foreach (var file in files) Check(file.Path);

        // Whether they can lie beside each other.
        var entries = new ArchiveEntries("of the files", new ArchiveLimits());
        foreach (var file in files) entries.Add(file.Path, file.Content.Length, packedBytes: null);

        var content = Path.Combine(folder, "files");
        MakePrivate(content);
        foreach (var file in files)
        {
            var path = Path.Combine(content, file.Path);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            using var target = new FileStream(path, FileMode.CreateNew, FileAccess.Write);
            target.Write(file.Content.Span);
        }

        return ModelArchiver.Create(new ArchiveRequest { ModelName = model, Version = version, ExtraFiles = [content], ExportPath = folder, Format = ArchiveFormat.ZipStore });
    }

    // Who may load models need not be one who may bring code.
    private static void Check(string path)
    {
        if (RelativePath.Fault(path) is { } fault) throw new BadRequestException($"The file's path \"{path}\" {fault}.");
        if (CodeFiles.Include(path)) throw new BadRequestException($"The file \"{path}\" is code, which is not taken with a request; put it into the model store.");
    }

    private static void MakePrivate(string folder)
    {
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(folder);
        else Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }
}
