using System.Text.RegularExpressions;
using Serve.Core.Configuration;
using Serve.Core.Errors;

namespace Serve.Core.Models.Sources;

/// <summary>Which URLs models may come from, the model store aside: TorchServe's <c>allowed_urls</c>, by default none.</summary>
/// <param name="patterns">Regular expressions, each for a whole URL.</param>
public sealed class AllowedUrls(IReadOnlyList<string> patterns)
{
    private readonly IReadOnlyList<Regex> _patterns = [.. patterns.Select(pattern => UrlPattern.Parse(pattern, out var fault) ?? throw new ArgumentException(fault, nameof(patterns)))];

    /// <summary>Checks a URL, in the form in which it is used: parsed and written again, so that no spelling of it is read in two ways.</summary>
    /// <param name="url">An absolute URL.</param>
    /// <param name="asGiven">What the client calls it, for the message.</param>
    /// <exception cref="BadRequestException">It carries a user's name, which makes URLs that look like another host's.</exception>
    /// <exception cref="ModelNotFoundException">No pattern allows it; with TorchServe's text.</exception>
    public void Check(Uri url, string asGiven)
    {
        ArgumentNullException.ThrowIfNull(url);
        if (url.UserInfo.Length > 0) throw new BadRequestException($"The URL {Shown(asGiven)} has a user's name or password in it; give one without.");
        if (_patterns.Any(pattern => pattern.IsMatch(url.AbsoluteUri))) return;

        throw new ModelNotFoundException($"Given URL {Shown(asGiven)} does not match any allowed URL(s)" + (_patterns.Count > 0 ? "" : ". The server's configuration allows none (allowedUrls)"));
    }

    /// <summary>A URL for messages, logs and describe: without its query and user, which may be secrets (a pre-signed URL's signature).</summary>
    /// <param name="url">Any text.</param>
    public static string Shown(string url)
    {
        ArgumentNullException.ThrowIfNull(url);
        var end = url.AsSpan().IndexOfAny('?', '#');
        var shown = end < 0 ? url : url[..end] + "?…";
        var authority = shown.IndexOf("://", StringComparison.Ordinal) + 3;
        var at = authority < 3 ? -1 : shown.IndexOf('@', authority);
        var slash = authority < 3 ? -1 : shown.IndexOf('/', authority);
        return at > 0 && (slash < 0 || at < slash) ? shown[..authority] + "…" + shown[at..] : shown;
    }
}
