using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(Serve.Tests.ServersFirst))]

namespace Serve.Tests;

/// <summary>
/// The order of the test classes: those that start servers and take the longest first, those that only compute last. A long
/// class that begins last runs alone at the end, and makes the whole run longer by its length.
/// </summary>
public sealed class ServersFirst : ITestCollectionOrderer
{
    // Half a minute and more each, whatever the machine: browsers, Prometheus.
    private static readonly string[] Long = ["Serve.Tests.EndToEnd.Console.", "Serve.Tests.Monitoring.PrometheusTests"];

    private static readonly string[] Servers = ["Serve.Tests.EndToEnd.", "Serve.Tests.Compatibility.", "Serve.Tests.Conformance.", nameof(EndToEnd.OpenInference.InferServer), nameof(EndToEnd.SteppedServer)];

    /// <inheritdoc/>
    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderBy(static collection => Rank(collection.TestCollectionDisplayName)).ThenBy(static collection => collection.TestCollectionDisplayName, StringComparer.Ordinal)];

    private static int Rank(string collection) => IsOneOf(Long, collection) ? 0 : IsOneOf(Servers, collection) ? 1 : 2;

    private static bool IsOneOf(string[] names, string collection) => Array.Exists(names, name => collection.Contains(name, StringComparison.Ordinal));
}
