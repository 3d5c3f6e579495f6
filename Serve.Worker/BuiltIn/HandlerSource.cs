using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Handlers;

namespace Serve.Worker.BuiltIn;

/// <summary>Makes the handler that a model's configuration names: a stock one by its name, or a user's class.</summary>
internal static class HandlerSource
{
    private static readonly Dictionary<string, Func<object>> Stock = new(StringComparer.Ordinal)
    {
        ["image_classifier"] = static () => new ImageClassifier(),
        ["image_embedder"] = static () => new ImageEmbedder(),
        ["tensor"] = static () => new TensorHandler(),
        [HandlerName.Repeat] = static () => new RepeatHandler(TimeProvider.System),
    };

    /// <summary>What <see cref="ModelConfiguration.Handler"/> says when it says nothing.</summary>
    public const string Default = "tensor";

    /// <returns>An <see cref="IModelHandler"/> or an <see cref="IBatchHandler"/>, not loaded yet.</returns>
    /// <exception cref="InvalidModelException">There is no such handler, or its class cannot be made.</exception>
    public static object Create(string name, string modelFolder)
    {
        if (Stock.TryGetValue(name, out var make)) return make();
        if (name.Contains(':', StringComparison.Ordinal)) return UserHandler.Create(name, modelFolder);
        throw new InvalidModelException($"handler '{name}' is unknown; use one of {string.Join(", ", Stock.Keys)}, or a class of your own as Assembly.dll:Namespace.Type.");
    }
}
