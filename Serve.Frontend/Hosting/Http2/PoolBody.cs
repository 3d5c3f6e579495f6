using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http.Features;

namespace Serve.Frontend.Hosting.Http2;

/// <summary>The body of a request that has left its socket's thread, as Kestrel has it: whoever waited for more of it does not go on there.</summary>
/// <param name="body">The body.</param>
internal sealed class PoolBody(PipeReader body) : PipeReader, IRequestBodyPipeFeature
{
    /// <inheritdoc/>
    public PipeReader Reader => this;

    /// <inheritdoc/>
    public override bool TryRead(out ReadResult result) => body.TryRead(out result);

    /// <inheritdoc/>
    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        var read = body.ReadAsync(cancellationToken);
        return read.IsCompleted ? read : WaitAsync(read);
    }

    /// <inheritdoc/>
    public override void AdvanceTo(SequencePosition consumed) => body.AdvanceTo(consumed);

    /// <inheritdoc/>
    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => body.AdvanceTo(consumed, examined);

    /// <inheritdoc/>
    public override void CancelPendingRead() => body.CancelPendingRead();

    /// <inheritdoc/>
    public override void Complete(Exception? exception = null) => body.Complete(exception);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<ReadResult> WaitAsync(ValueTask<ReadResult> read)
    {
        try
        {
            return await read;
        }
        finally
        {
            if (SocketThread.IsCurrent) await SocketThread.LeaveAsync();
        }
    }
}
