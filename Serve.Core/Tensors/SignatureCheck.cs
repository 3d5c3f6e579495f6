using Serve.Core.Errors;
using Serve.Core.Handlers;

namespace Serve.Core.Tensors;

/// <summary>Whether the tensors of a request are those that a signature asks for.</summary>
public static class SignatureCheck
{
    /// <summary>
    /// A signature as it holds for requests of tensors: with a batch size of 1 their first dimension is no batch, even where
    /// the model has one, so a request may have any number of rows and runs by itself.
    /// </summary>
    /// <param name="signature">The model's.</param>
    /// <param name="batchSize">The most rows in one batch.</param>
    public static ModelSignature ForRequests(this ModelSignature signature, int batchSize)
    {
        ArgumentNullException.ThrowIfNull(signature);
        return signature.Batching == RowBatching.Dynamic && batchSize == 1 ? signature with { Batching = RowBatching.None } : signature;
    }

    /// <summary>How many rows of a batch a request fills: its first dimension where the model batches, else 1.</summary>
    /// <param name="signature">The model's.</param>
    /// <param name="shape">The shape of one of the request's inputs; all have the same first dimension.</param>
    /// <returns>At least 1: a request without rows takes a place of its own.</returns>
    public static long RowsOf(ModelSignature signature, ReadOnlySpan<long> shape)
    {
        ArgumentNullException.ThrowIfNull(signature);
        return signature.Batching == RowBatching.Dynamic && shape.Length > 0 ? Math.Max(1, shape[0]) : 1;
    }

    /// <summary>Checks a request whole: names, datatypes, shapes, lengths.</summary>
    /// <param name="signature">The model's.</param>
    /// <param name="request">A request that carries tensors.</param>
    /// <exception cref="BadRequestException">What does not fit.</exception>
    public static void Check(ModelSignature signature, HandlerRequest request)
    {
        ArgumentNullException.ThrowIfNull(signature);
        ArgumentNullException.ThrowIfNull(request);
        Span<long> room = stackalloc long[TensorShape.MostDimensions];
        var rows = -1L;
        for (var i = 0; i < request.Parts.Count; i++)
        {
            var part = request.Parts[i];
            if (!TensorText.TryRead(part.ContentType, out var element, room, out var rank)) throw new BadRequestException($"The input '{part.Name}' has no datatype and shape.");
            var shape = room[..rank];
            var input = Find(signature, part.Name);
            for (var other = 0; other < i; other++)
            {
                if (request.Parts[other].Name == part.Name) throw new BadRequestException($"The input '{part.Name}' is there twice.");
            }

            if (input.ElementType != element) throw new BadRequestException($"The input '{part.Name}' takes {input.ElementType.Datatype()}; the request has {element.Datatype()}.");
            if (!TensorShape.Allows(input.Shape, shape)) throw new BadRequestException($"The input '{part.Name}' takes the shape {TensorShape.Text(input.Shape)}; the request has {TensorShape.Text(shape.ToArray())}.");
            if (TensorData.Fault(element, shape, part.Data.Span) is { } fault) throw new BadRequestException($"The input '{part.Name}' {fault}.");
            if (signature.Batching == RowBatching.Dynamic && rank > 0)
            {
                if (rows >= 0 && rows != shape[0]) throw new BadRequestException($"The inputs do not have the same number of rows: '{part.Name}' has {shape[0]}, one before it {rows}.");
                rows = shape[0];
            }
        }

        if (request.Parts.Count == signature.Inputs.Count) return;
        var missing = signature.Inputs.First(input => request.Find(input.Name) is null);
        throw new BadRequestException($"The input '{missing.Name}' is missing.");
    }

    private static TensorInfo Find(ModelSignature signature, string name)
    {
        foreach (var input in signature.Inputs)
        {
            if (input.Name == name) return input;
        }

        throw new BadRequestException($"There is no input '{name}'; the inputs are {string.Join(", ", signature.Inputs.Select(input => $"'{input.Name}'"))}.");
    }
}
