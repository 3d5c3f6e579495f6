using System.Text.RegularExpressions;

namespace Serve.Core.Configuration;

/// <summary>A regular expression for whole URLs, an item of <c>allowedUrls</c>.</summary>
internal static class UrlPattern
{
    /// <summary>Compiles a pattern; null if it is wrong.</summary>
    /// <remarks>Without backtracking: the URLs come from clients, and no URL may take long.</remarks>
    /// <param name="text">As written.</param>
    /// <param name="fault">What is wrong, if the result is null.</param>
    public static Regex? Parse(string text, out string fault)
    {
        fault = "";
        try
        {
            return new Regex($@"\A(?:{text})\z", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Exception error) when (error is ArgumentException or NotSupportedException)
        {
            fault = error.Message.ReplaceLineEndings(" ").TrimEnd('.');
            return null;
        }
    }
}
