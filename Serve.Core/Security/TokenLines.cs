using Serve.Core.Configuration;
using Serve.Core.Configuration.Tokens;

namespace Serve.Core.Security;

/// <summary>Tokens as a file or a variable has them: one a line; empty lines, and those that begin with #, are comments.</summary>
internal static class TokenLines
{
    /// <summary>Reads them all.</summary>
    /// <param name="text">The lines.</param>
    /// <param name="source">The file's path, or what else messages should name.</param>
    /// <exception cref="ConfigurationException">Every line that is wrong, without what stands there.</exception>
    public static IReadOnlyList<AccessToken> Read(string text, string source)
    {
        var (tokens, problems) = (new List<AccessToken>(), new List<ConfigurationProblem>());
        var number = 0;
        foreach (var line in text.TrimStart('\uFEFF').Split('\n'))
        {
            number++;
            var trimmed = line.Trim();
            if (trimmed.Length == 0 || trimmed[0] == '#') continue;
            if (AccessToken.Parse(trimmed, out var fault) is { } token) tokens.Add(token);
            else problems.Add(new(new ConfigurationOrigin(source, number, 1), "", fault));
        }

        return problems.Count == 0 ? tokens : throw new ConfigurationException(problems);
    }
}
