using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Models;
using Serve.Core.Tensors;

namespace Serve.Frontend.OpenInference.Infer;

/// <summary>
/// Whether a request is one for a model's tensors, in the words that Triton uses and its clients' tests look for. All of it
/// is checked before anything is queued.
/// </summary>
internal static class TensorRequestCheck
{
    private const string BatchNote = " NOTE: the first dimension is the batch dimension; it must be part of each input's shape";

    /// <summary>The signature of a version that takes such requests.</summary>
    /// <exception cref="BadRequestException">It takes none.</exception>
    public static ModelSignature SignatureOf(ModelVersion target) =>
        target.Signature ?? throw new BadRequestException($"model '{target.Name}' has no tensors: its handler takes requests of its own form, by /predictions/{target.Name}. A handler declares tensors by IDeclaresTensors");

    /// <summary>A shape whose size can be told.</summary>
    /// <param name="input">The input's name.</param>
    /// <param name="shape">Its dimensions.</param>
    /// <exception cref="BadRequestException">A dimension is negative, or their product has more than 63 bits, zeros left aside.</exception>
    public static long[] Shape(string input, ReadOnlySpan<long> shape)
    {
        var product = 1L;
        foreach (var dimension in shape)
        {
            if (dimension < 0 || product > long.MaxValue / Math.Max(1, dimension)) throw new BadRequestException($"input '{input}': the shape {TensorShape.Text(shape.ToArray())} is no tensor's: a dimension is negative, or there are too many elements");
            product *= Math.Max(1, dimension);
        }

        return shape.ToArray();
    }

    /// <summary>Checks a request whose tensors are all there.</summary>
    /// <param name="request">The request.</param>
    /// <param name="target">The version it is for.</param>
    /// <param name="signature">That version's.</param>
    /// <param name="body">What the inputs' places are in.</param>
    /// <param name="isJsonAnswered">Whether outputs that are not asked for as binary are written as JSON.</param>
    /// <returns>Rows of a batch that it fills.</returns>
    /// <exception cref="BadRequestException">What does not fit.</exception>
    public static int Check(TensorRequest request, ModelVersion target, ModelSignature signature, ReadOnlySpan<byte> body, bool isJsonAnswered)
    {
        CheckNames(request, target.Name, signature);
        CheckOutputs(request, target.Name, signature, isJsonAnswered);
        var rows = -1L;
        foreach (var input in request.Inputs)
        {
            var wanted = Find(signature.Inputs, input.Name)!;
            CheckInput(input, wanted, target.Name, signature, body);
            if (signature.Batching != RowBatching.Dynamic || input.Shape.Length == 0) continue;
            if (rows >= 0 && rows != input.Shape[0]) throw new BadRequestException($"input '{input.Name}' batch size does not match other inputs for '{target.Name}'");
            rows = input.Shape[0];
        }

        if (signature.Batching != RowBatching.Dynamic) return 1;
        var most = target.Configuration.BatchSize;
        if (rows > most) throw new BadRequestException($"inference request batch-size must be <= {most} for '{target.Name}'");
        return (int)Math.Max(1, rows);
    }

    /// <summary>The tensor of that name; null: there is none.</summary>
    public static TensorInfo? Find(IReadOnlyList<TensorInfo> tensors, ReadOnlySpan<char> name)
    {
        for (var i = 0; i < tensors.Count; i++)
        {
            if (name.SequenceEqual(tensors[i].Name)) return tensors[i];
        }

        return null;
    }

    private static void CheckNames(TensorRequest request, string model, ModelSignature signature)
    {
        for (var i = 0; i < request.Inputs.Count; i++)
        {
            var name = request.Inputs[i].Name;
            for (var other = 0; other < i; other++)
            {
                if (request.Inputs[other].Name == name) throw new BadRequestException($"input '{name}' already exists in request");
            }

            if (Find(signature.Inputs, name) is null) throw new BadRequestException($"unexpected inference input '{name}' for model '{model}'");
        }

        if (request.Inputs.Count == signature.Inputs.Count) return;
        var missing = signature.Inputs.Where(input => request.Inputs.TrueForAll(given => given.Name != input.Name)).Select(input => input.Name);
        throw new BadRequestException(
            $"expected {signature.Inputs.Count} inputs but got {request.Inputs.Count} inputs for model '{model}'. Got input(s) [{Quoted(request.Inputs.Select(input => input.Name))}], but missing required input(s) [{Quoted(missing)}]. Please provide all required input(s).");
    }

    private static void CheckOutputs(TensorRequest request, string model, ModelSignature signature, bool isJsonAnswered)
    {
        for (var i = 0; i < request.Outputs.Count; i++)
        {
            var output = request.Outputs[i];
            for (var other = 0; other < i; other++)
            {
                if (request.Outputs[other].Name == output.Name) throw new BadRequestException($"output '{output.Name}' already exists in request");
            }

            var known = Find(signature.Outputs, output.Name) ?? throw new BadRequestException($"unexpected inference output '{output.Name}' for model '{model}'");
            if (output.Classes > 0 && !Classification.Ranks(known.ElementType)) throw new BadRequestException($"class result not available for output '{output.Name}' of datatype {known.ElementType.Datatype()}");
        }

        if (!isJsonAnswered) return;
        foreach (var output in signature.Outputs)
        {
            var requested = request.Find(output.Name);
            if (requested is null && request.Outputs.Count > 0) continue;
            if (output.ElementType is TensorElement.Float16 or TensorElement.BFloat16 && !(requested?.IsBinary ?? request.IsBinaryByDefault) && requested?.SharedMemory is null)
            {
                throw new BadRequestException($"sending {output.ElementType.Datatype()} data via JSON is not supported. Please use the binary data format for output '{output.Name}'");
            }
        }
    }

    private static void CheckInput(TensorInput input, TensorInfo wanted, string model, ModelSignature signature, ReadOnlySpan<byte> body)
    {
        if (input.Element != wanted.ElementType)
        {
            throw new BadRequestException($"inference input '{input.Name}' data-type is '{input.Element.Datatype()}', but model '{model}' expects '{wanted.ElementType.Datatype()}'");
        }

        if (!TensorShape.Allows(wanted.Shape, input.Shape))
        {
            throw new BadRequestException($"unexpected shape for input '{input.Name}' for model '{model}'. Expected {TensorShape.Text(wanted.Shape)}, got {TensorShape.Text(input.Shape)}.{(signature.Batching == RowBatching.None ? "" : BatchNote)}");
        }

        if (input.Element != TensorElement.String && (!TensorShape.TryCountBytes(input.Element, input.Shape, out var bytes) || bytes != input.Length))
        {
            throw new BadRequestException($"input byte size mismatch for input '{input.Name}' for model '{model}'. Expected {bytes}, got {input.Length}");
        }

        // What was parsed cannot be wrong any more.
        if (input.Source == TensorSource.Parsed) return;
        if (TensorData.Fault(input.Element, input.Shape, body.Slice(input.Offset, input.Length)) is { } fault) throw new BadRequestException($"input '{input.Name}' for model '{model}' {fault}");
    }

    private static string Quoted(IEnumerable<string> names) => string.Join(',', names.Select(name => $"'{name}'"));
}
