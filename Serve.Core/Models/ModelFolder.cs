using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Models.Archives;

namespace Serve.Core.Models;

/// <summary>Opens a folder with one model version: reads its configuration and finds the files that it names.</summary>
internal static class ModelFolder
{
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
    /// <param name="handlerInstead">A handler that goes before those of the configuration and the manifest; null for none.</param>
    /// <exception cref="ServeException">What is missing or wrong.</exception>
    public static ModelSource Open(string folder, StoredModel stored, ServerConfiguration server, string? handlerInstead = null)
    {
        var manifest = ReadManifest(folder);
        var configFile = manifest?.ConfigFile ?? ModelConfigurationReader.FileName;
        if (manifest?.ConfigFile is not null) MustExist(folder, configFile, "configFile", ModelManifest.EntryName);

        var read = ModelConfigurationReader.Read(Path.Combine(folder, configFile), server);
        var configuration = read.Configuration;
        if (manifest is null && handlerInstead is null && !File.Exists(Path.Combine(folder, configFile))) configuration = BareModel.Of(configuration);
        var handler = Handler(folder, stored, handlerInstead ?? configuration.Handler, manifest);
        var modelFile = ModelFile(folder, stored, configuration, manifest, handler);

        return new ModelSource
        {
            Name = stored.Name,
            Version = stored.Version,
            Url = stored.Url,
            Folder = folder,
            Manifest = manifest,
            Configuration = configuration with
            {
                Handler = handler,
                ModelFile = modelFile,
                LabelFile = Labels(folder, configuration),
            },
            WrittenKeys = read.WrittenKeys,
            Warnings = [.. read.Warnings, .. Unused(manifest, modelFile)],
        };
    }

    /// <summary>What TorchServe needs of an archive and Serve does not.</summary>
    private static IEnumerable<string> Unused(ModelManifest? manifest, string? modelFile)
    {
        if (manifest?.ModelFile is { } code) yield return $"{ModelManifest.EntryName}: model.modelFile: {code} is not used: Serve runs {modelFile} and no Python";
        if (manifest?.RequirementsFile is { } packages) yield return $"{ModelManifest.EntryName}: model.requirementsFile: {packages} is not used: Serve runs no Python";
    }

    /// <summary>The handler that was chosen, else the manifest's, else <c>tensor</c>; its assembly must be there.</summary>
    private static string Handler(string folder, StoredModel stored, string? chosen, ModelManifest? manifest)
    {
        var text = chosen ?? manifest?.Handler ?? "tensor";
        if (HandlerName.Parse(text, out var fault) is not { } handler)
        {
            if (PyTorchAdvice.PythonFile(folder, text) is not null) fault = $"{text} is a Python handler, and Serve runs no Python; {PyTorchAdvice.ForHandler(folder, stored, text)}";
            throw new InvalidModelException(chosen is null ? $"{stored.Url}: {ModelManifest.EntryName}: model.handler: {fault}." : $"{stored.Url}: handler: {fault}.");
        }

        if (handler.Assembly is { } assembly) MustExist(folder, assembly, "the assembly of handler", text);
        return text;
    }

    /// <summary>The file that the configuration or the manifest names, else the only <c>*.onnx</c>; a handler that computes by itself may do without.</summary>
    private static string? ModelFile(string folder, StoredModel stored, ModelConfiguration configuration, ModelManifest? manifest, string handler)
    {
        var named = configuration.ModelFile ?? manifest?.SerializedFile;
        if (named is not null)
        {
            if (PyTorchAdvice.AreWeights(named)) throw Weights(stored, named, folder, handler);

            MustExist(folder, named, configuration.ModelFile is not null ? "modelFile" : "serializedFile", configuration.ModelFile is not null ? ModelConfigurationReader.FileName : ModelManifest.EntryName);
            return named;
        }

        var files = Directory.EnumerateFiles(folder).Select(file => Path.GetFileName(file)!).Order(StringComparer.Ordinal).ToList();
        var models = files.Where(file => file.EndsWith(".onnx", StringComparison.OrdinalIgnoreCase)).ToList();
        if (models.Count == 1) return models[0];
        if (models.Count > 1) throw new InvalidModelException($"{folder} has {models.Count} ONNX files ({string.Join(", ", models.Take(5))}{(models.Count > 5 ? ", …" : "")}); name one of them by modelFile in {ModelConfigurationReader.FileName}.");
        if (HandlerName.Parse(handler, out _) is { NeedsModel: false }) return null;

        if (files.FirstOrDefault(PyTorchAdvice.AreWeights) is { } weights) throw Weights(stored, weights, folder, handler);
        if (manifest?.ModelFile is { } python) throw new InvalidModelException($"{stored.Url}: {ModelManifest.EntryName}: model.modelFile is {python}, a model's Python code, and there is no *.onnx file. {PyTorchAdvice.ForWeights(folder, stored, handler)}.");

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

    private static InvalidModelException Weights(StoredModel stored, string file, string folder, string handler) => new($"{stored.Url}: {file} holds PyTorch weights. {PyTorchAdvice.ForWeights(folder, stored, handler)}.");
}
