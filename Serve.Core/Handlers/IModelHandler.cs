namespace Serve.Core.Handlers;

/// <summary>
/// A handler in front of an ONNX model: turns one request into one row of the model's inputs, and one row of its outputs
/// into one response. The worker batches rows between the two. An instance serves one worker; after <see cref="Load"/> its
/// methods are called by several threads at once, each for another request.
/// </summary>
/// <remarks>
/// Throw <see cref="Errors.BadRequestException"/> when the request is at fault: that request is answered 400, its
/// neighbours in the batch go on. Any other exception answers that request with 500.
/// </remarks>
public interface IModelHandler : IDisposable
{
    /// <summary>Called once, before the worker is Ready. What it throws fails the load, with its message as the reason.</summary>
    /// <param name="context">The model's folder, configuration, signature and labels.</param>
    void Load(HandlerContext context);

    /// <summary>Writes the request's inputs. Runs while other batches execute.</summary>
    /// <param name="request">The request's parts and headers; valid until the request is answered.</param>
    /// <param name="inputs">Where the tensors go; every input of the model must be written.</param>
    void Preprocess(HandlerRequest request, InputRow inputs);

    /// <summary>Writes the response from the row's outputs.</summary>
    /// <param name="request">The request given to <see cref="Preprocess"/>.</param>
    /// <param name="outputs">This request's part of the model's outputs; valid during the call.</param>
    /// <param name="response">What the client gets.</param>
    void Postprocess(HandlerRequest request, OutputRow outputs, HandlerResponse response);
}
