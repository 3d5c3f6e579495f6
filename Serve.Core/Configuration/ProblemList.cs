namespace Serve.Core.Configuration;

/// <summary>Collects what is wrong while a configuration is read, so that all of it is reported at once.</summary>
internal sealed class ProblemList
{
    private readonly List<ConfigurationProblem> _problems = [];
    private readonly List<string> _warnings = [];

    public IReadOnlyList<string> Warnings => _warnings;

    public void Add(ConfigurationOrigin origin, string key, string message) => _problems.Add(new(origin, key, message));

    public void Warn(ConfigurationOrigin origin, string key, string message) =>
        _warnings.Add(new ConfigurationProblem(origin, key, message).ToString());

    public void ThrowIfAny()
    {
        if (_problems.Count == 0) return;

        // A stable sort: within a file by line, the sources in the order in which they were read.
        var order = _problems.Select(problem => problem.Origin.Source).Distinct().ToList();
        throw new ConfigurationException(
        [
            .. _problems.OrderBy(problem => order.IndexOf(problem.Origin.Source))
                .ThenBy(problem => problem.Origin.Line)
                .ThenBy(problem => problem.Origin.Column),
        ]);
    }
}
