using System.Runtime.InteropServices;
using Serve.Core.Errors;
using Serve.Core.Handlers;

namespace Serve.Worker.BuiltIn;

/// <summary>The one output of a model that a stock handler reads, as float32 whatever its floating type is.</summary>
internal sealed class FloatOutput
{
    private readonly TensorInfo _output;

    private FloatOutput(TensorInfo output) => _output = output;

    /// <summary>The number of elements in a row, or null where it depends on the input.</summary>
    public int? FixedLength { get; private init; }

    /// <summary>The output that <c>handlerOptions.output</c> names, else the model's only one.</summary>
    /// <exception cref="InvalidModelException">There is none, or it is not of floats.</exception>
    public static FloatOutput Find(HandlerContext context, string handler)
    {
        var signature = context.Signature ?? throw new InvalidModelException($"{handler} needs an ONNX model.");
        var names = string.Join(", ", signature.Outputs.Select(candidate => $"'{candidate.Name}'"));
        TensorInfo? output;
        if (context.Configuration.HandlerOptions.TryGetValue("output", out var name))
        {
            output = signature.Outputs.FirstOrDefault(candidate => candidate.Name == name)
                ?? throw new InvalidModelException($"handlerOptions.output is '{name}', but the model's outputs are {names}.");
        }
        else
        {
            output = signature.Outputs.Count == 1 ? signature.Outputs[0] : null;
            if (output is null) throw new InvalidModelException($"{handler} reads one output and the model has {signature.Outputs.Count}: {names}; say which with handlerOptions.output.");
        }

        if (output.ElementType is not (TensorElement.Float32 or TensorElement.Float64 or TensorElement.Float16 or TensorElement.BFloat16))
        {
            throw new InvalidModelException($"{handler} reads floats, but the output '{output.Name}' is of {output.ElementType}.");
        }

        return new FloatOutput(output) { FixedLength = LengthOf(signature, output) };
    }

    public int Length(OutputRow row) => row.Bytes(_output.Name).Length / _output.ElementType.SizeBytes();

    public void Read(OutputRow row, Span<float> target)
    {
        var bytes = row.Bytes(_output.Name);
        switch (_output.ElementType)
        {
            case TensorElement.Float32:
                MemoryMarshal.Cast<byte, float>(bytes).CopyTo(target);
                break;
            case TensorElement.Float64:
                Convert(MemoryMarshal.Cast<byte, double>(bytes), target, static value => (float)value);
                break;
            case TensorElement.Float16:
                Convert(MemoryMarshal.Cast<byte, Half>(bytes), target, static value => (float)value);
                break;
            default:
                Convert(MemoryMarshal.Cast<byte, ushort>(bytes), target, BrainFloat.ToSingle);
                break;
        }
    }

    private static void Convert<T>(ReadOnlySpan<T> source, Span<float> target, Func<T, float> convert)
    {
        for (var i = 0; i < source.Length; i++) target[i] = convert(source[i]);
    }

    private static int? LengthOf(ModelSignature signature, TensorInfo output)
    {
        var length = 1L;
        foreach (var dimension in output.Shape.Skip(signature.Batching == RowBatching.None ? 0 : 1))
        {
            if (dimension < 0) return null;
            length *= dimension;
        }

        return (int)length;
    }
}
