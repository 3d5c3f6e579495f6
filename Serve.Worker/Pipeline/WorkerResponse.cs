using System.Buffers;
using Serve.Core.Handlers;

namespace Serve.Worker.Pipeline;

/// <summary>The response that a handler writes; reused with its request.</summary>
internal sealed class WorkerResponse : HandlerResponse
{
    private readonly ResponseBody _body = new();

    public override IBufferWriter<byte> Body => _body;

    /// <summary>The body's array, which is the caller's from here on.</summary>
    public byte[] DetachBody(out int length) => _body.Detach(out length);

    public void Clear()
    {
        Status = 200;
        ContentType = null;
        if (Headers.Count > 0) Headers.Clear();
        _body.Clear();
    }
}
