using System.Runtime.InteropServices;
using Serve.Core.Handlers;
using Serve.Worker.Execution;

namespace Serve.Worker.BuiltIn;

/// <summary>
/// A row with content, for a model of which nothing but the signature is known: numbers from −1 to 1, and 0 or 1 where they
/// are whole, because those may be indices or lengths.
/// </summary>
internal static class ProbeRow
{
    /// <param name="signature">The model's.</param>
    /// <param name="inputs">Where it goes.</param>
    /// <param name="dynamicDimension">What dynamic dimensions are taken as.</param>
    /// <param name="seed">Another seed, another content.</param>
    public static void Write(ModelSignature signature, RowInputs inputs, int dynamicDimension, int seed)
    {
        var random = new Random(seed);
        foreach (var input in signature.Inputs)
        {
            long[] shape = [.. input.Shape.Skip(signature.Batching == RowBatching.None ? 0 : 1).Select(dimension => dimension < 0 ? dynamicDimension : dimension)];
            if (input.ElementType == TensorElement.String)
            {
                var count = shape.Aggregate(1L, static (product, dimension) => product * dimension);
                inputs.SetStrings(input.Name, [.. new string[count].Select(_ => random.Next(2) == 0 ? "a" : "b")], shape);
                continue;
            }

            Fill(input.ElementType, inputs.Allocate(input.Name, shape), random);
        }

        inputs.Complete();
    }

    private static void Fill(TensorElement element, Span<byte> bytes, Random random)
    {
        switch (element)
        {
            case TensorElement.Float32:
                foreach (ref var value in MemoryMarshal.Cast<byte, float>(bytes)) value = Number(random);
                return;
            case TensorElement.Float64:
                foreach (ref var value in MemoryMarshal.Cast<byte, double>(bytes)) value = Number(random);
                return;
            case TensorElement.Float16:
                foreach (ref var value in MemoryMarshal.Cast<byte, Half>(bytes)) value = (Half)Number(random);
                return;
            case TensorElement.BFloat16:
                foreach (ref var value in MemoryMarshal.Cast<byte, ushort>(bytes)) value = (ushort)(BitConverter.SingleToInt32Bits(Number(random)) >> 16);
                return;
            default:
                bytes.Clear();
                var size = element.SizeBytes();
                for (var at = 0; at < bytes.Length; at += size) bytes[at] = (byte)random.Next(2);
                return;
        }
    }

    private static float Number(Random random) => (random.NextSingle() * 2) - 1;
}
