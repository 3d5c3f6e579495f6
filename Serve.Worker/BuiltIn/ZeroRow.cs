using Serve.Core.Handlers;

namespace Serve.Worker.BuiltIn;

/// <summary>A row of zeros for a model of which nothing but the signature is known.</summary>
internal static class ZeroRow
{
    public static void Write(ModelSignature signature, InputRow inputs)
    {
        foreach (var input in signature.Inputs)
        {
            var skip = signature.Batching == RowBatching.None ? 0 : 1;
            long[] shape = [.. input.Shape.Skip(skip).Select(dimension => dimension < 0 ? 1 : dimension)];
            if (input.ElementType == TensorElement.String)
            {
                var count = shape.Aggregate(1L, static (product, dimension) => product * dimension);
                inputs.SetStrings(input.Name, new string[count].Select(static _ => "").ToArray(), shape);
            }
            else
            {
                inputs.Allocate(input.Name, shape).Clear();
            }
        }
    }
}
