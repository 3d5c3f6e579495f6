using Microsoft.Extensions.Logging;
using Serve.Core.Memory;
using Serve.Core.Protocol;

namespace Serve.Worker.Hosting;

/// <summary>The frontend's memory in which payloads of requests may lie, mapped to be read.</summary>
internal static partial class BodyMemory
{
    /// <summary>Opens it.</summary>
    /// <param name="message">What Load offers; null: nothing.</param>
    /// <param name="log">Told why it cannot be opened.</param>
    /// <returns>Null: all payloads are to come through the socket.</returns>
    public static ReadOnlyMemory<byte>? Open(BodiesMessage? message, ILogger log)
    {
        if (message is null) return null;
        try
        {
            return MappedMemory.MapToRead(message.Path, message.Bytes).Memory;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            LogUnread(log, e.Message);
            return null;
        }
    }

    [LoggerMessage(1, LogLevel.Information, "Bodies of requests come through the socket, because the frontend's memory cannot be mapped: {Reason}")]
    private static partial void LogUnread(ILogger log, string reason);
}
