namespace Serve.Core.Observability;

/// <summary>Events that have a log of their own.</summary>
public static class LogEventNames
{
    /// <summary>A request was answered: <c>access_log.log</c>.</summary>
    public const string Access = "Access";

    /// <summary>A line that a worker has written: <c>model_log.log</c>.</summary>
    public const string WorkerOutput = "WorkerOutput";
}
