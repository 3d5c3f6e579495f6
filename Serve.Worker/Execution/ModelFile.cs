using Serve.Core.Configuration;
using Serve.Core.Errors;

namespace Serve.Worker.Execution;

/// <summary>Finds the model's file in its folder.</summary>
internal static class ModelFile
{
    /// <exception cref="InvalidModelException">It is not there, lies outside the folder, or there are several and none is named.</exception>
    public static string Find(string folder, ModelConfiguration configuration)
    {
        if (configuration.ModelFile is { } name)
        {
            var root = Path.GetFullPath(folder) + Path.DirectorySeparatorChar;
            var file = Path.GetFullPath(Path.Combine(root, name));
            if (!file.StartsWith(root, StringComparison.Ordinal)) throw new InvalidModelException($"modelFile '{name}' lies outside the model's folder.");
            if (!File.Exists(file)) throw new InvalidModelException($"modelFile '{name}' is not in the model's folder.");
            return file;
        }

        var found = Directory.GetFiles(folder, "*.onnx");
        return found.Length switch
        {
            1 => found[0],
            0 => throw new InvalidModelException("The model's folder has no .onnx file; add one, name it with modelFile, or name a handler that needs none."),
            _ => throw new InvalidModelException($"The model's folder has {found.Length} .onnx files ({string.Join(", ", found.Select(Path.GetFileName).Order())}); say which with modelFile."),
        };
    }
}
