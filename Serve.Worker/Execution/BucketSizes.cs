using Serve.Core.Configuration;
using Serve.Core.Handlers;
using Serve.Core.Scheduling;

namespace Serve.Worker.Execution;

/// <summary>The sizes in which a model's batches are executed, by its configuration.</summary>
internal static class BucketSizes
{
    private const int LargestPower = 12;

    /// <param name="configuration">The model's.</param>
    /// <param name="signature">The model's: one without a batch dimension runs each request as it is.</param>
    /// <param name="hasGraphs">Whether every size must have been recorded, so that powers of two are the sizes where none are given.</param>
    /// <returns>Those of <c>execution.buckets</c> below the batch size, and the batch size.</returns>
    public static BatchBuckets Of(ModelConfiguration configuration, ModelSignature signature, bool hasGraphs)
    {
        var isBatched = signature.Batching == RowBatching.Dynamic;
        if (!isBatched) return hasGraphs ? BatchBuckets.Of([1]) : BatchBuckets.Any;
        if (configuration.Execution.Buckets.Count == 0 && !hasGraphs) return BatchBuckets.Any;
        var wanted = configuration.Execution.Buckets.Count > 0 ? configuration.Execution.Buckets : Enumerable.Range(0, LargestPower + 1).Select(power => 1 << power);
        return BatchBuckets.Of(wanted.Where(size => size < configuration.BatchSize).Append(configuration.BatchSize));
    }
}
