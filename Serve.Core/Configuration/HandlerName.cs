namespace Serve.Core.Configuration;

/// <summary>What the <c>handler</c> of a model names: a stock handler, or a class in an assembly of the model's folder.</summary>
/// <param name="Stock">A stock handler's name; null for a user's class.</param>
/// <param name="Assembly">The assembly's path relative to the model's folder; null for a stock handler.</param>
/// <param name="TypeName">The class with its namespace; null for a stock handler.</param>
public sealed record HandlerName(string? Stock, string? Assembly, string? TypeName)
{
    /// <summary>The stock handlers.</summary>
    public static IReadOnlyList<string> StockNames { get; } = ["image_classifier", "image_embedder", "tensor", Repeat];

    /// <summary>The stock handler that answers in parts without a model, for trying clients out.</summary>
    public const string Repeat = "repeat";

    /// <summary>Whether it stands before an ONNX model.</summary>
    public bool NeedsModel => Stock is not null and not Repeat;

    /// <summary>TorchServe's stock handlers, and the design's, that are not here.</summary>
    private static readonly string[] Absent = ["object_detector", "image_segmenter", "text_classifier", "text_embedder", "text_handler", "vision_handler", "base_handler"];

    /// <summary>Reads a handler's name.</summary>
    /// <param name="text">As written.</param>
    /// <param name="fault">What is wrong and what would be right, if the result is null.</param>
    public static HandlerName? Parse(string text, out string fault)
    {
        fault = "";
        if (StockNames.Contains(text)) return new HandlerName(text, null, null);

        var file = text.Split(':')[0];
        if (file.EndsWith(".py", StringComparison.OrdinalIgnoreCase))
        {
            fault = $"{text} is a Python handler, and Serve runs no Python; export the model to ONNX and use {StockList}, or port the handler to a .NET class (Assembly.dll:Namespace.Type)";
            return null;
        }

        if (Absent.Contains(text, StringComparer.Ordinal))
        {
            fault = $"the handler {text} is not available; use {StockList}, or a .NET class (Assembly.dll:Namespace.Type)";
            return null;
        }

        var separator = text.IndexOf(':', StringComparison.Ordinal);
        if (separator < 0 || !file.EndsWith(".dll", StringComparison.OrdinalIgnoreCase))
        {
            fault = $"{text} is no handler; give {StockList}, or a .NET class in an assembly of the model's folder (Assembly.dll:Namespace.Type).{NearestName.Question(text, StockNames)}";
            return null;
        }

        var type = text[(separator + 1)..];
        if (RelativePath.Fault(file) is { } wrong)
        {
            fault = $"the assembly's path {file} {wrong}; give a path relative to the model's folder";
            return null;
        }

        if (type.Length == 0 || !type.All(c => char.IsLetterOrDigit(c) || c is '.' or '_' or '+' or '`'))
        {
            fault = $"{text} names no class; give Assembly.dll:Namespace.Type";
            return null;
        }

        return new HandlerName(null, file, type);
    }

    private static string StockList => string.Join(", ", StockNames);
}
