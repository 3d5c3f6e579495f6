using Serve.Core.Handlers;

namespace Serve.Core.Tensors;

/// <summary>
/// A batch handler (<see cref="IBatchHandler"/>) that takes tensors by name and answers with tensors, and so takes part in the
/// Open Inference Protocol, as models of ONNX Runtime do. A request of that protocol says so by
/// <see cref="HandlerRequest.CarriesTensors"/>; others come as before. Requests whose names, datatypes, shapes or lengths do
/// not fit the declaration are refused before the handler sees them.
/// </summary>
public interface IDeclaresTensors
{
    /// <summary>
    /// What it takes and answers, the batch dimension included: with <see cref="RowBatching.Dynamic"/> a request's first
    /// dimension is how many rows of a batch it fills; with <see cref="RowBatching.None"/> each request counts as one. Read
    /// once, after <see cref="IBatchHandler.Load"/>.
    /// </summary>
    ModelSignature Tensors { get; }

    /// <summary>
    /// Whether a request may have any number of answers, none included, as a generator's: each is sent as a part
    /// (<see cref="HandlerCall.SendPart"/>). Needs <see cref="IBatchHandler.Streams"/>. False by default: exactly one.
    /// </summary>
    bool IsDecoupled => false;
}
