using System.Buffers;
using System.Net.Sockets;
using Serve.Core.Handlers;

namespace Serve.Tests.Handlers;

/// <summary>
/// Executes a batch when the test says so: connects to the Unix socket <c>handlerOptions.gate</c>, writes a byte with the
/// number of calls for each batch (0: it was cancelled meanwhile), and goes on when it has read one. Then it echoes.
/// </summary>
public sealed class GatedHandler : TestHandler
{
    private readonly Socket _gate = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    public override void Load(HandlerContext context)
    {
        base.Load(context);
        _gate.Connect(new UnixDomainSocketEndPoint(context.Configuration.HandlerOptions["gate"]));
    }

    public override void Execute(IReadOnlyList<HandlerCall> batch, CancellationToken cancellation)
    {
        _gate.Send([(byte)batch.Count]);
        using (cancellation.Register(() => _gate.Send([0])))
        {
            _gate.Receive(new byte[1]);
        }

        base.Execute(batch, cancellation);
    }

    protected override void Answer(HandlerCall call, int batchSize) => call.Response.Body.Write(call.Request.Input.Data.Span);

    protected override void Dispose(bool disposing)
    {
        _gate.Dispose();
        base.Dispose(disposing);
    }
}
