using System.Globalization;

namespace Serve.Worker.Execution.Providers;

/// <summary>
/// CUDA graphs of a session, one for each bucket. A graph is recorded at the first run with its annotation and replayed at
/// every later one, reading and writing where the first did: inputs and outputs must be bound to the same device memory each
/// time, and the batch must have the bucket's size.
/// </summary>
/// <param name="buckets">Ascending; the last is the largest batch.</param>
internal sealed class CudaGraphPlan(IReadOnlyList<int> buckets)
{
    /// <summary>The run option that says which graph a run belongs to.</summary>
    public const string AnnotationKey = "gpu_graph_id";

    /// <summary>The value for a run that shall neither record nor replay.</summary>
    public const string NoGraph = "-1";

    public IReadOnlyList<int> Buckets { get; } = buckets;

    /// <summary>The value of <see cref="AnnotationKey"/> for a batch; <see cref="NoGraph"/> unless its size is a bucket. 0 would be the graph of runs without annotation.</summary>
    public string Annotation(int rows)
    {
        for (var i = 0; i < Buckets.Count; i++)
        {
            if (Buckets[i] == rows) return (i + 1).ToString(CultureInfo.InvariantCulture);
        }

        return NoGraph;
    }
}
