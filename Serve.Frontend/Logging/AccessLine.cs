using System.Globalization;
using System.Net;
using System.Text;
using Microsoft.Extensions.Logging;
using Serve.Core.Observability;

namespace Serve.Frontend.Logging;

/// <summary>
/// A request that was answered, for the access log: as the state of a log event it comes to <see cref="ServerLogs"/> as it
/// is, without a box, and becomes a line without a string.
/// </summary>
/// <param name="Address">The client's.</param>
/// <param name="Port">Likewise.</param>
/// <param name="Method">The HTTP method; null: a gRPC call.</param>
/// <param name="Target">Path and query; of a call, its method.</param>
/// <param name="Protocol">For example <c>HTTP/1.1</c>.</param>
/// <param name="Status">HTTP status, or the call's code.</param>
/// <param name="Milliseconds">How long it took.</param>
/// <param name="RequestId">By what the client knows it.</param>
/// <param name="Ended">When it was answered, as a timestamp.</param>
internal readonly record struct AccessLine(IPAddress? Address, int Port, string? Method, string Target, string Protocol, int Status, long Milliseconds, string? RequestId, long Ended)
{
    /// <summary>The event.</summary>
    public static EventId Event { get; } = new(2, LogEventNames.Access);

    /// <summary>Logs it. Hot path.</summary>
    public void LogTo(ILogger log) => log.Log(LogLevel.Information, Event, this, null, static (line, _) => line.ToString());

    /// <summary>As TorchServe's access log has it, and the request's id: client, request line, status, milliseconds.</summary>
    public override string ToString()
    {
        var text = new LineBuffer();
        AppendTo(text);
        return Encoding.UTF8.GetString(text.Append((byte)' ').Append(RequestId).Text);
    }

    /// <summary>The same without the id.</summary>
    public void AppendTo(LineBuffer text)
    {
        if (Address is not null) text.Append(Address);
        text.Append((byte)':').Append(Port).Append((byte)' ').Append((byte)'"').Append(Method ?? "gRPC").Append((byte)' ').AppendOneLine(Target)
            .Append((byte)' ').Append(Protocol).Append((byte)'"').Append((byte)' ').Append(Status).Append((byte)' ').Append(Milliseconds);
    }

    /// <summary>The event with its values by their names.</summary>
    public LogEntry ToEntry(DateTimeOffset at, string category, string? traceId)
    {
        var client = string.Create(CultureInfo.InvariantCulture, $"{Address}:{Port}");
        KeyValuePair<string, object?>[] fields = Method is { } method
            ? [new("Client", client), new("Method", method), new("Target", Target), new("Protocol", Protocol), new("Status", Status), new("Milliseconds", Milliseconds), new("RequestId", RequestId)]
            : [new("Client", client), new("Method", Target), new("Protocol", Protocol), new("Code", Status), new("Milliseconds", Milliseconds), new("RequestId", RequestId)];
        return new LogEntry(at, LogLevel.Information, category, ToString(), null, fields, traceId);
    }
}
