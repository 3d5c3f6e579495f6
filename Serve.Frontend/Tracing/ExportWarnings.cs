using System.Diagnostics.Tracing;
using System.Globalization;
using Microsoft.Extensions.Logging;

namespace Serve.Frontend.Tracing;

/// <summary>Tells of what OpenTelemetry's exporter could not do, once in a while: a collector that is away for a day is no reason for a line a second.</summary>
internal sealed partial class ExportWarnings : EventListener
{
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly string _collector;
    private readonly TimeProvider _time;
    private readonly ILogger? _log;
    private long? _told;
    private int _untold;

    /// <param name="endpoint">The collector.</param>
    /// <param name="time">The clock.</param>
    /// <param name="log">Where it tells.</param>
    public ExportWarnings(Uri endpoint, TimeProvider time, ILogger log)
    {
        // The sources that are there already were offered before this was set.
        (_collector, _time, _log) = (endpoint.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped), time, log);
        foreach (var source in EventSource.GetSources()) OnEventSourceCreated(source);
    }

    /// <inheritdoc/>
    protected override void OnEventSourceCreated(EventSource eventSource)
    {
        ArgumentNullException.ThrowIfNull(eventSource);
        if (_log is not null && eventSource.Name.StartsWith("OpenTelemetry", StringComparison.Ordinal)) EnableEvents(eventSource, EventLevel.Warning);
    }

    /// <inheritdoc/>
    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        ArgumentNullException.ThrowIfNull(eventData);
        if (_log is null || !MayTell(out var others)) return;
        LogTrouble(_log, _collector, Text(eventData), others);
    }

    private bool MayTell(out int others)
    {
        lock (_gate)
        {
            others = _untold;
            if (_told is { } before && _time.GetElapsedTime(before) < Pause)
            {
                _untold++;
                return false;
            }

            _told = _time.GetTimestamp();
            _untold = 0;
            return true;
        }
    }

    // The first line: some say a whole stack trace.
    private static string Text(EventWrittenEventArgs e)
    {
        var text = e.Message is { } format && e.Payload is { } values ? string.Format(CultureInfo.InvariantCulture, format, [.. values]) : e.EventName ?? "an event";
        return text.Split('\n', 2)[0].Trim();
    }

    [LoggerMessage(40, LogLevel.Warning, "traces may be lost on their way to {Collector}: {What} ({Others} more in the minute before)")]
    private static partial void LogTrouble(ILogger log, string collector, string what, int others);
}
