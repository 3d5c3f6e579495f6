using Serve.Benchmarks.Reporting;

namespace Serve.Benchmarks.Scenarios;

/// <summary>One promise that is measured.</summary>
internal interface IScenario
{
    /// <summary>As <c>--only</c> has it.</summary>
    string Name { get; }

    /// <summary>For people.</summary>
    string Title { get; }

    /// <summary>Whether it takes so long that it is measured only when it is named.</summary>
    bool IsLong => false;

    /// <summary>Measures it and adds the figures.</summary>
    void Run(Repository repository, BenchmarkSettings settings, Report report);
}
