using System.Buffers;
using System.Net.Sockets;
using Serve.Core.Handlers;

namespace Serve.Tests.Handlers;

/// <summary>Loads when the test says so: connects to the Unix socket <c>handlerOptions.gate</c> and goes on when it has read a byte. Then it echoes.</summary>
public sealed class SlowToLoadHandler : TestHandler
{
    public override void Load(HandlerContext context)
    {
        base.Load(context);
        using var gate = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        gate.Connect(new UnixDomainSocketEndPoint(context.Configuration.HandlerOptions["gate"]));
        gate.Receive(new byte[1]);
    }

    protected override void Answer(HandlerCall call, int batchSize) => call.Response.Body.Write(call.Request.Input.Data.Span);
}
