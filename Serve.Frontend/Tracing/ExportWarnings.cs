using Microsoft.Extensions.Logging;

namespace Serve.Frontend.Tracing;

/// <summary>Tells of what could not be sent, once in a while: a collector that is away for a day is no reason for a line a second.</summary>
/// <param name="endpoint">The collector.</param>
/// <param name="time">The clock.</param>
/// <param name="log">Where it tells.</param>
internal sealed partial class ExportWarnings(Uri endpoint, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly string _collector = endpoint.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped);
    private long? _told;
    private int _untold;

    /// <summary>Tells of it, or counts it.</summary>
    /// <param name="what">What it was; its first line is told.</param>
    public void Tell(string what)
    {
        int others;
        lock (_gate)
        {
            if (_told is { } before && time.GetElapsedTime(before) < Pause)
            {
                _untold++;
                return;
            }

            (_told, others, _untold) = (time.GetTimestamp(), _untold, 0);
        }

        LogTrouble(log, _collector, what.Split('\n', 2)[0].Trim(), others);
    }

    [LoggerMessage(40, LogLevel.Warning, "traces may be lost on their way to {Collector}: {What} ({Others} more in the minute before)")]
    private static partial void LogTrouble(ILogger log, string collector, string what, int others);
}
