using Serve.Core.Configuration;

namespace Serve.Worker.Execution.Providers;

/// <summary>The batch sizes that a model is prepared for, where another size would cost a preparation of its own.</summary>
internal static class BatchBuckets
{
    /// <summary>Ascending; the last is the batch size.</summary>
    public static IReadOnlyList<int> Of(ModelConfiguration configuration)
    {
        IEnumerable<int> wanted = configuration.Execution.Buckets.Count > 0
            ? configuration.Execution.Buckets
            : Enumerable.Range(0, 13).Select(power => 1 << power);
        return [.. wanted.Where(size => size < configuration.BatchSize).Append(configuration.BatchSize).Order()];
    }
}
