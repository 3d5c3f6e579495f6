namespace Serve.Frontend.OpenInference.Infer;

/// <summary>
/// The paths <c>/v2/models/MODEL/infer</c> and <c>/v2/models/MODEL/versions/VERSION/infer</c>, taken apart without a string.
/// Routing knows the same paths: whatever looks unusual is left to it.
/// </summary>
internal static class InferPath
{
    private const string Prefix = "/v2/models/";
    private const string Versions = "/versions/";
    private const string Suffix = "/infer";

    /// <summary>Takes a path apart.</summary>
    /// <param name="path">As Kestrel has unescaped it.</param>
    /// <param name="model">Not empty.</param>
    /// <param name="version">Empty: the default one.</param>
    /// <returns>False: it is another path.</returns>
    public static bool TryParse(ReadOnlySpan<char> path, out ReadOnlySpan<char> model, out ReadOnlySpan<char> version)
    {
        model = version = default;
        if (path.Length <= Prefix.Length + Suffix.Length || !path.StartsWith(Prefix, StringComparison.Ordinal) || !path.EndsWith(Suffix, StringComparison.Ordinal)) return false;
        model = path[Prefix.Length..^Suffix.Length];

        // An escaped slash is still escaped here, and part of a name.
        if (model.Contains('%')) return false;
        var slash = model.IndexOf('/');
        if (slash < 0) return true;
        version = model[slash..];
        model = model[..slash];
        if (model.IsEmpty || !version.StartsWith(Versions, StringComparison.Ordinal)) return false;
        version = version[Versions.Length..];
        return !version.IsEmpty && !version.Contains('/');
    }
}
