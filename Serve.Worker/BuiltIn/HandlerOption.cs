using Serve.Core.Errors;
using Serve.Core.Handlers;

namespace Serve.Worker.BuiltIn;

/// <summary>Reads the stock handlers' own settings from <c>handlerOptions</c>.</summary>
internal static class HandlerOption
{
    /// <exception cref="InvalidModelException">The value is neither true nor false.</exception>
    public static bool Flag(HandlerContext context, string name, bool otherwise)
    {
        if (!context.Configuration.HandlerOptions.TryGetValue(name, out var text)) return otherwise;
        return bool.TryParse(text, out var value) ? value : throw new InvalidModelException($"handlerOptions.{name} is '{text}'; it must be true or false.");
    }
}
