namespace Serve.Frontend.Inference;

/// <summary>
/// The paths that nearly all requests have, <c>/predictions/MODEL</c> and <c>/predictions/MODEL/VERSION</c>, taken apart
/// without a string. Routing knows the same paths, and all others: whatever looks unusual is left to it.
/// </summary>
internal static class PredictionPath
{
    private const string Prefix = "/predictions/";

    /// <summary>Takes a path apart.</summary>
    /// <param name="path">As Kestrel has unescaped it.</param>
    /// <param name="model">Not empty.</param>
    /// <param name="version">Empty: the default one.</param>
    /// <returns>False: routing may know what it is.</returns>
    public static bool TryParse(ReadOnlySpan<char> path, out ReadOnlySpan<char> model, out ReadOnlySpan<char> version)
    {
        version = default;
        model = path.StartsWith(Prefix, StringComparison.Ordinal) ? path[Prefix.Length..] : default;

        // An escaped slash is still escaped here, and part of a name.
        if (model.IsEmpty || model.Contains('%')) return false;
        var slash = model.IndexOf('/');
        if (slash < 0) return true;
        version = model[(slash + 1)..];
        model = model[..slash];
        return !model.IsEmpty && !version.IsEmpty && !version.Contains('/');
    }
}
