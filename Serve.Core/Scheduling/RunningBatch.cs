namespace Serve.Core.Scheduling;

/// <summary>A batch that executes.</summary>
internal readonly record struct RunningBatch(long Number, long BegunTimestamp, int Rows);
