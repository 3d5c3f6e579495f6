using Serve.Core.Errors;
using Serve.Core.Handlers;

namespace Serve.Core.Tensors;

/// <summary>Tensors of requests and responses, for handlers that declare them (<see cref="IDeclaresTensors"/>).</summary>
public static class HandlerTensors
{
    /// <summary>The header that names a requested output, once for each.</summary>
    public const string OutputHeader = ":output";

    /// <summary>The tensor of that name.</summary>
    /// <param name="request">A request that carries tensors.</param>
    /// <param name="name">The input's name.</param>
    /// <returns>Null: the request has none of that name.</returns>
    /// <exception cref="BadRequestException">The request carries no tensors.</exception>
    public static InputTensor? Tensor(this HandlerRequest request, string name)
    {
        ArgumentNullException.ThrowIfNull(request);
        return request.Find(name) is { } part ? Read(request, part) : null;
    }

    /// <summary>All tensors, in the order in which they came.</summary>
    /// <param name="request">A request that carries tensors.</param>
    /// <exception cref="BadRequestException">The request carries no tensors.</exception>
    public static IReadOnlyList<InputTensor> Tensors(this HandlerRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return [.. request.Parts.Select(part => Read(request, part))];
    }

    /// <summary>Whether the client wants an output: it named that one, or none at all.</summary>
    /// <param name="request">A request that carries tensors.</param>
    /// <param name="output">The output's name.</param>
    public static bool Wants(this HandlerRequest request, string output)
    {
        ArgumentNullException.ThrowIfNull(request);
        var names = false;
        foreach (var (key, value) in request.Headers)
        {
            if (key != OutputHeader) continue;
            if (value == output) return true;
            names = true;
        }

        return !names;
    }

    /// <summary>Makes tensors the response's body, or the body of its next part.</summary>
    /// <param name="response">The response; its body must be empty.</param>
    /// <param name="tensors">The tensors.</param>
    public static void SetTensors(this HandlerResponse response, params ReadOnlySpan<OutputTensor> tensors)
    {
        ArgumentNullException.ThrowIfNull(response);
        response.ContentType = TensorListWriter.ContentType;
        var list = new TensorListWriter(response.Body, tensors.Length);
        foreach (var tensor in tensors)
        {
            var shape = tensor.Shape.ToArray();
            if (TensorData.Fault(tensor.ElementType, shape, tensor.Data.Span) is { } fault) throw new InvalidOperationException($"The output '{tensor.Name}' {fault}.");
            list.Declare(tensor.Name, tensor.ElementType, shape, tensor.Data.Length);
        }

        foreach (var tensor in tensors) list.Write(tensor.Data.Span);
        list.Complete();
    }

    private static InputTensor Read(HandlerRequest request, in RequestPart part)
    {
        Span<long> shape = stackalloc long[TensorShape.MostDimensions];
        if (!request.CarriesTensors || !TensorText.TryRead(part.ContentType, out var element, shape, out var rank))
        {
            throw new BadRequestException("The request carries no tensors; send it by the Open Inference Protocol.");
        }

        return new InputTensor(part.Name, element, shape[..rank].ToArray(), part.Data);
    }
}
