namespace Serve.Core.Models;

/// <summary>Which files of a model are programs, by their names: a handler is loaded only from such.</summary>
internal static class CodeFiles
{
    /// <summary>Whether a file is one.</summary>
    /// <param name="path">Its name or path.</param>
    public static bool Include(string path) => Path.GetExtension(path).ToLowerInvariant() is ".dll" or ".so" or ".exe" or ".dylib";
}
