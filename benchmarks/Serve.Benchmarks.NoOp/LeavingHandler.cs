using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics;
using System.Net.Sockets;
using Serve.Core.Handlers;

namespace Serve.Benchmarks.NoOp;

/// <summary>
/// Works until nobody waits for the answer any more, and tells over the Unix socket <c>report</c> when it begins (0) and when
/// it saw that the client was gone (<see cref="Stopwatch"/>'s timestamp, the same for all processes of the machine); 8 bytes each, little-endian.
/// With <c>streams: true</c> it sends a part first. A body that begins with <see cref="AnswerAtOnce"/> is answered at once.
/// </summary>
public sealed class LeavingHandler : IBatchHandler
{
    /// <summary>The first byte of a body that is answered at once.</summary>
    public const byte AnswerAtOnce = 0;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly Socket _report = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    /// <inheritdoc/>
    public bool Streams { get; private set; }

    /// <inheritdoc/>
    public void Load(HandlerContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var options = context.Configuration.HandlerOptions;
        Streams = options.GetValueOrDefault("streams") == "true";
        _report.Connect(new UnixDomainSocketEndPoint(options["report"]));
    }

    /// <inheritdoc/>
    public void Execute(IReadOnlyList<HandlerCall> batch, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(batch);
        foreach (var call in batch)
        {
            call.Response.Body.Write(NoOpHandler.Answer);
            if (call.Request.Parts[0].Data.Span[0] != AnswerAtOnce) Work(call, cancellation);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _report.Dispose();

    private void Work(HandlerCall call, CancellationToken cancellation)
    {
        if (Streams) call.SendPart();
        Report(0);
        cancellation.WaitHandle.WaitOne(Patience);
        Report(cancellation.IsCancellationRequested ? Stopwatch.GetTimestamp() : long.MaxValue);
    }

    private void Report(long value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        _report.Send(bytes);
    }
}
