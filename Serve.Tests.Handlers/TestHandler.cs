using System.Globalization;
using System.Text;
using Serve.Core.Handlers;

namespace Serve.Tests.Handlers;

/// <summary>What the handlers below have in common: they answer one call after the other.</summary>
public abstract class TestHandler : IBatchHandler
{
    /// <summary>What was given to <see cref="Load"/>.</summary>
    protected HandlerContext Context { get; private set; } = null!;

    public virtual void Load(HandlerContext context) => Context = context;

    public virtual void Execute(IReadOnlyList<HandlerCall> batch, CancellationToken cancellation)
    {
        foreach (var call in batch) Answer(call, batch.Count);
    }

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
    }

    /// <summary>Answers one call of a batch of that size.</summary>
    protected abstract void Answer(HandlerCall call, int batchSize);

    protected static void Write(HandlerCall call, string contentType, string body)
    {
        call.Response.ContentType = contentType;
        Encoding.UTF8.GetBytes(body, call.Response.Body);
    }

    /// <summary>A number of <c>handlerOptions</c>.</summary>
    protected double Number(string option, double otherwise) =>
        Context.Configuration.HandlerOptions.TryGetValue(option, out var text) ? double.Parse(text, CultureInfo.InvariantCulture) : otherwise;
}
