using System.Buffers;
using Serve.Core.Handlers;

namespace Serve.Benchmarks.NoOp;

/// <summary>A model on the <see cref="SyntheticDevice"/>.</summary>
public sealed class SyntheticHandler : IBatchHandler
{
    /// <inheritdoc/>
    public void Load(HandlerContext context)
    {
        // There is nothing to load.
    }

    /// <inheritdoc/>
    public void Execute(IReadOnlyList<HandlerCall> batch, CancellationToken cancellation)
    {
        SyntheticDevice.Execute(batch.Count);
        for (var i = 0; i < batch.Count; i++)
        {
            var response = batch[i].Response;
            response.ContentType = NoOpHandler.AnswerType;
            response.Body.Write(NoOpHandler.Answer);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // It holds nothing.
    }
}
