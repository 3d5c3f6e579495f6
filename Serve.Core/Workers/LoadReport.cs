using Serve.Core.Scheduling;

namespace Serve.Core.Workers;

/// <summary>What is known of a version's demand and capacity.</summary>
/// <param name="Load">Rates.</param>
/// <param name="Costs">What batches cost, by size.</param>
/// <param name="QueueLimit">How many requests may wait.</param>
internal readonly record struct LoadReport(DispatcherLoad Load, BatchCost[] Costs, int QueueLimit);
