using System.Text.Json;

namespace Serve.Core.Handlers;

/// <summary>
/// A handler (of either kind) that has something to say about itself, as TorchServe's describe function has:
/// <c>GET /models/{model}?customized=true</c> answers it as <c>customizedMetadata</c>.
/// </summary>
public interface IDescribesItself
{
    /// <summary>
    /// Writes one JSON value. Called on a thread of its own while requests run, by each call of describe that asks for it.
    /// What it throws answers that call.
    /// </summary>
    /// <param name="json">Where to; flushed by the worker.</param>
    void Describe(Utf8JsonWriter json);
}
