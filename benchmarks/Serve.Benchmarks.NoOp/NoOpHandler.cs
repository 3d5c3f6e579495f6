using System.Buffers;
using Serve.Core.Handlers;

namespace Serve.Benchmarks.NoOp;

/// <summary>A model that costs nothing: what remains of a request is the server.</summary>
public sealed class NoOpHandler : IBatchHandler
{
    /// <summary>Media type of <see cref="Answer"/>.</summary>
    public const string AnswerType = "application/json";

    /// <summary>What every request is answered with: 30 bytes.</summary>
    public static ReadOnlySpan<byte> Answer => "{\"label\":\"no-op\",\"score\":1.00}"u8;

    /// <inheritdoc/>
    public void Load(HandlerContext context)
    {
        // There is nothing to load.
    }

    /// <inheritdoc/>
    public void Execute(IReadOnlyList<HandlerCall> batch, CancellationToken cancellation)
    {
        for (var i = 0; i < batch.Count; i++)
        {
            var response = batch[i].Response;
            response.ContentType = AnswerType;
            response.Body.Write(Answer);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // It holds nothing.
    }
}
