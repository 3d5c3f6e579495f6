using Serve.Core.Errors;

namespace Serve.Core.Configuration;

/// <summary>A configuration is wrong: everything that is wrong with it, at once.</summary>
public sealed class ConfigurationException : ServeException
{
    /// <summary>Reports all problems of one configuration.</summary>
    /// <param name="problems">At least one; the message has one line for each.</param>
    public ConfigurationException(IReadOnlyList<ConfigurationProblem> problems)
        : base(400, "InvalidModelException", Describe(problems)) => Problems = problems;

    /// <summary>What is wrong, in the order of the sources and their lines.</summary>
    public IReadOnlyList<ConfigurationProblem> Problems { get; }

    private static string Describe(IReadOnlyList<ConfigurationProblem> problems) => problems.Count == 1
        ? problems[0].ToString()
        : $"{problems.Count} problems:\n" + string.Join('\n', problems.Select(problem => "  " + problem));
}
