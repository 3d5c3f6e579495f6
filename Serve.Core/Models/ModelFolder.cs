using Serve.Core.Configuration;
using Serve.Core.Errors;

namespace Serve.Core.Models;

/// <summary>Opens a folder with one model version: reads its configuration and finds the files that it names.</summary>
internal static class ModelFolder
{
    private const string HowToExport =
        "Serve runs ONNX models; export it in Python with torch.onnx.export(model.eval(), (example,), \"model.onnx\", input_names=[\"input\"], output_names=[\"output\"], "
        + "dynamic_axes={\"input\": {0: \"batch\"}, \"output\": {0: \"batch\"}}) and archive model.onnx instead (docs/models.md)";

    private static readonly string[] PyTorchExtensions = [".pt", ".pth", ".pt2", ".bin", ".safetensors"];

    /// <summary>A volume's lost+found, which only root may read, must not end a listing.</summary>
    public static EnumerationOptions Accessible { get; } = new() { IgnoreInaccessible = true };

    /// <summary>Whether a folder holds a model version itself, rather than versions in folders.</summary>
    public static bool Is(string folder) =>
        File.Exists(Path.Combine(folder, ModelConfigurationReader.FileName))
        || File.Exists(Path.Combine(folder, ModelManifest.EntryName))
        || Directory.EnumerateFiles(folder, "*", Accessible).Any(file => Path.GetExtension(file).ToLowerInvariant() is ".onnx" or ".dll" or ".pt" or ".pth");

    /// <summary>Reads the manifest of a folder, if it has one.</summary>
    public static ModelManifest? ReadManifest(string folder)
    {
        var path = Path.Combine(folder, ModelManifest.EntryName);
        return File.Exists(path) ? ModelManifest.ReadFile(path) : null;
    }

    /// <summary>Opens the folder of a version.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="stored">What the store knows of it.</param>
    /// <param name="server">The server's configuration.</param>
    /// <exception cref="ServeException">What is missing or wrong.</exception>
    public static ModelSource Open(string folder, StoredModel stored, ServerConfiguration server)
    {
        var manifest = ReadManifest(folder);
        var configFile = manifest?.ConfigFile ?? ModelConfigurationReader.FileName;
        if (manifest?.ConfigFile is not null) MustExist(folder, configFile, "configFile", ModelManifest.EntryName);

        var read = ModelConfigurationReader.Read(Path.Combine(folder, configFile), server);
        var handler = Handler(folder, read.Configuration, manifest);
        var modelFile = ModelFile(folder, read.Configuration, manifest, handler);

        return new ModelSource
        {
            Name = stored.Name,
            Version = stored.Version,
            Url = stored.Url,
            Folder = folder,
            Manifest = manifest,
            Configuration = read.Configuration with
            {
                Handler = handler,
                ModelFile = modelFile,
                LabelFile = Labels(folder, read.Configuration),
            },
            WrittenKeys = read.WrittenKeys,
            Warnings = read.Warnings,
        };
    }

    /// <summary>The configuration's handler, else the manifest's, else <c>tensor</c>; its assembly must be there.</summary>
    private static string Handler(string folder, ModelConfiguration configuration, ModelManifest? manifest)
    {
        var text = configuration.Handler ?? manifest?.Handler ?? "tensor";
        if (HandlerName.Parse(text, out var fault) is not { } handler)
        {
            throw new InvalidModelException($"{Path.Combine(folder, ModelManifest.EntryName)}: model.handler: {fault}.");
        }

        if (handler.Assembly is { } assembly) MustExist(folder, assembly, "the assembly of handler", text);
        return text;
    }

    /// <summary>The file that the configuration or the manifest names, else the only <c>*.onnx</c>; a user's handler may do without.</summary>
    private static string? ModelFile(string folder, ModelConfiguration configuration, ModelManifest? manifest, string handler)
    {
        if (manifest?.ModelFile is { } python) throw new InvalidModelException($"{ModelManifest.EntryName} of {folder}: model.modelFile is {python}, a model's Python code. {HowToExport}.");

        var named = configuration.ModelFile ?? manifest?.SerializedFile;
        if (named is not null)
        {
            if (IsPyTorch(named)) throw new InvalidModelException($"{Path.Combine(folder, named)} holds PyTorch weights. {HowToExport}.");

            MustExist(folder, named, configuration.ModelFile is not null ? "modelFile" : "serializedFile", configuration.ModelFile is not null ? ModelConfigurationReader.FileName : ModelManifest.EntryName);
            return named;
        }

        var files = Directory.EnumerateFiles(folder).Select(file => Path.GetFileName(file)!).Order(StringComparer.Ordinal).ToList();
        var models = files.Where(file => file.EndsWith(".onnx", StringComparison.OrdinalIgnoreCase)).ToList();
        if (models.Count == 1) return models[0];
        if (models.Count > 1) throw new InvalidModelException($"{folder} has {models.Count} ONNX files ({string.Join(", ", models.Take(5))}{(models.Count > 5 ? ", …" : "")}); name one of them by modelFile in {ModelConfigurationReader.FileName}.");
        if (HandlerName.Parse(handler, out _) is { Stock: null }) return null;

        if (files.FirstOrDefault(IsPyTorch) is { } weights) throw new InvalidModelException($"{Path.Combine(folder, weights)} holds PyTorch weights. {HowToExport}.");

        throw new InvalidModelException($"{folder} has no *.onnx file, which the handler {handler} needs; put one there, or name a handler class of yours (handler: Assembly.dll:Namespace.Type).");
    }

    private static string? Labels(string folder, ModelConfiguration configuration)
    {
        var name = configuration.LabelFile;
        if (name is not null) MustExist(folder, name, "labelFile", ModelConfigurationReader.FileName);
        else if (File.Exists(Path.Combine(folder, LabelFile.FileName))) name = LabelFile.FileName;

        // Read here and again by the worker: a wrong file is an error of the registration, not of a worker that starts.
        if (name is not null) LabelFile.Read(Path.Combine(folder, name));
        return name;
    }

    private static void MustExist(string folder, string relative, string what, string namedBy)
    {
        if (RelativePath.Fault(relative) is { } fault) throw new InvalidModelException($"{folder}: {what} \"{relative}\" ({namedBy}) {fault}; give a path inside the model's folder.");

        var path = Path.Combine(folder, relative);
        if (!File.Exists(path)) throw new InvalidModelException($"{path} does not exist; {namedBy} names it ({what}). Put the file there, or correct the name.");
    }

    private static bool IsPyTorch(string file) => PyTorchExtensions.Contains(Path.GetExtension(file).ToLowerInvariant());
}
