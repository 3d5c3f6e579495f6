namespace Serve.Core.Models;

/// <summary>What a client may say about one request.</summary>
/// <param name="Priority">1 (highest) to the version's <c>priorityLevels</c>; null or 0: the middle.</param>
/// <param name="Timeout">When the answer is of no use any more; null: the version's <c>responseTimeout</c>. Never longer than that.</param>
/// <param name="Rows">Rows of a batch that the request fills, which are never split; 0: one. At most the version's <c>batchSize</c>.</param>
public readonly record struct InferenceOptions(int? Priority = null, TimeSpan? Timeout = null, int Rows = 0);
