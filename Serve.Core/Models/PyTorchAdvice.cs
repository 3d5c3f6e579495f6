using System.Text;
using Serve.Core.Configuration;

namespace Serve.Core.Models;

/// <summary>What to do with a model of TorchServe's that needs Python: how to export it, how to pack it, which handler replaces its own.</summary>
internal static class PyTorchAdvice
{
    private const int LooksAtBytes = 256 << 10;

    private const string HowToExport =
        "Serve runs ONNX models; export it in Python with torch.onnx.export(model.eval(), (example,), \"model.onnx\", input_names=[\"input\"], output_names=[\"output\"], "
        + "dynamic_axes={\"input\": {0: \"batch\"}, \"output\": {0: \"batch\"}})";

    private static readonly string[] WeightExtensions = [".pt", ".pth", ".pt2", ".bin", ".safetensors"];

    /// <summary>Names in handlers of TorchServe's, and the stock handler that does the same work.</summary>
    private static readonly (string Mark, string Handler)[] Replacements =
    [
        ("ImageClassifier", "image_classifier"), ("image_classifier", "image_classifier"), ("densenet_handler", "image_classifier"),
        ("ObjectDetector", "object_detector"), ("object_detector", "object_detector"),
        ("ImageSegmenter", "image_segmenter"), ("image_segmenter", "image_segmenter"),
        ("TextClassifier", "text_classifier"), ("text_classifier", "text_classifier"),
    ];

    /// <summary>Whether a file holds PyTorch weights, by its name.</summary>
    public static bool AreWeights(string file) => WeightExtensions.Contains(Path.GetExtension(file).ToLowerInvariant());

    /// <summary>The Python file of a handler, if it is one of TorchServe's own kind: <c>file.py</c>, <c>file.py:function</c>, or a module beside the model.</summary>
    public static string? PythonFile(string folder, string handler)
    {
        var file = handler.Split(':')[0];
        if (file.EndsWith(".py", StringComparison.OrdinalIgnoreCase)) return file;
        return RelativePath.Fault(file + ".py") is null && File.Exists(Path.Combine(folder, file + ".py")) ? file + ".py" : null;
    }

    /// <summary>How to bring a model over whose weights are PyTorch's.</summary>
    public static string ForWeights(string folder, StoredModel stored, string handler) => $"{HowToExport}, and pack it: {PackCommand(folder, stored, "model.onnx", Replacement(folder, handler))}{After(folder, handler)}";

    /// <summary>How to bring a model over whose handler is Python.</summary>
    public static string ForHandler(string folder, StoredModel stored, string handler)
    {
        var model = Directory.EnumerateFiles(folder, "*.onnx").Order(StringComparer.Ordinal).FirstOrDefault();
        if (model is null) return $"export the model to ONNX. {ForWeights(folder, stored, handler)}";

        var replacement = Replacement(folder, handler);
        return $"export the model to ONNX (done: {Path.GetFileName(model)} is there), and register it with another handler (handler={replacement}), or pack it again: {PackCommand(folder, stored, Path.GetFileName(model), replacement)}{After(folder, handler)}";
    }

    private static string PackCommand(string folder, StoredModel stored, string model, string handler)
    {
        var labels = File.Exists(Path.Combine(folder, LabelFile.FileName)) ? $" --extra-files {LabelFile.FileName}" : "";
        return $"serve archive --model-name {stored.Name} --version {stored.Version} --serialized-file {model} --handler {handler}{labels}";
    }

    private static string After(string folder, string handler) => Replacement(folder, handler) == "tensor"
        ? ". The handler tensor takes and gives numbers; what else the Python code did goes into the client, or into a .NET class (docs/handlers.md). See docs/migrating-from-torchserve.md"
        : ". See docs/migrating-from-torchserve.md";

    /// <summary>The stock handler that does what a handler of TorchServe's does, by its name or by what its code is built upon.</summary>
    private static string Replacement(string folder, string handler)
    {
        if (HandlerName.StockNames.Contains(handler)) return handler;

        var text = handler + "\n" + (PythonFile(folder, handler) is { } file && RelativePath.Fault(file) is null ? Beginning(Path.Combine(folder, file)) : "");
        var found = Replacements.FirstOrDefault(replacement => text.Contains(replacement.Mark, StringComparison.Ordinal)).Handler;
        return found is not null && HandlerName.StockNames.Contains(found) ? found : "tensor";
    }

    private static string Beginning(string path)
    {
        if (!File.Exists(path)) return "";

        using var file = File.OpenRead(path);
        var bytes = new byte[(int)Math.Min(file.Length, LooksAtBytes)];
        return Encoding.UTF8.GetString(bytes, 0, file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false));
    }
}
