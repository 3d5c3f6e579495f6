using System.Text.Json;
using Serve.Core.Handlers;
using Serve.Management.Rest;

namespace Serve.Frontend.Commands.Bench;

/// <summary>Request bodies for a model that nobody has data for, made from its signature. The same model gets the same ones.</summary>
internal static class GeneratedData
{
    private const int Count = 8;
    private const int PictureWidth = 500;
    private const int PictureHeight = 375;
    private const int SmallPicture = 64;
    private const long MostElements = 16 << 20;

    /// <summary>Makes bodies.</summary>
    /// <param name="model">The version.</param>
    /// <param name="dynamicSize">The size of dynamic dimensions other than the batch.</param>
    /// <exception cref="CommandException">What the model takes cannot be told.</exception>
    public static IReadOnlyList<RequestBody> For(VersionBody model, int dynamicSize)
    {
        if (model.Signature is not { Inputs.Count: > 0 } signature)
            throw new CommandException(ExitCode.Usage, $"What {model.ModelName} takes cannot be told ({(model.Signature is null ? "it has no signature, or no ready worker" : "it has no inputs")}); give files with --data.");
        return model.Handler switch
        {
            "tensor" => [.. Enumerable.Range(0, Count).Select(seed => Tensors(signature, dynamicSize, new Random(seed)))],
            "image_classifier" or "image_embedder" => [.. Enumerable.Range(0, Count).Select(seed => Picture(signature.Inputs[0], seed))],
            _ => throw new CommandException(ExitCode.Usage, $"What the handler {model.Handler} of {model.ModelName} takes cannot be told; give files with --data."),
        };
    }

    /// <summary>For people.</summary>
    public static string Describe(VersionBody model) => model.Handler == "tensor" ? $"{Count} generated tensors" : $"{Count} generated PNGs";

    private static RequestBody Picture(TensorInfo input, int seed)
    {
        // A model for thumbnails gets thumbnails; the others get what a photo on a web page has.
        var sizes = input.Shape.Skip(1).Where(size => size > 4).ToList();
        var isSmall = sizes.Count == 2 && sizes.All(size => size <= SmallPicture);
        return new RequestBody("image/png", isSmall ? GeneratedPicture.Png((int)sizes[1], (int)sizes[0], seed) : GeneratedPicture.Png(PictureWidth, PictureHeight, seed));
    }

    private static RequestBody Tensors(ModelSignature signature, int dynamicSize, Random random)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes))
        {
            if (signature.Inputs.Count > 1) json.WriteStartObject();
            foreach (var input in signature.Inputs)
            {
                if (signature.Inputs.Count > 1) json.WritePropertyName(input.Name);

                // One row: without the batch's dimension, where there is one.
                var shape = input.Shape.Skip(signature.Batching == RowBatching.None ? 0 : 1).Select(size => size < 0 ? dynamicSize : size).ToArray();
                if (shape.Aggregate(1.0, (all, size) => all * size) > MostElements) throw new CommandException(ExitCode.Usage, $"The input {input.Name} has too many elements for JSON; give files with --data.");
                Write(json, input.ElementType, shape, random);
            }

            if (signature.Inputs.Count > 1) json.WriteEndObject();
        }

        return new RequestBody("application/json", bytes.ToArray());
    }

    private static void Write(Utf8JsonWriter json, TensorElement type, ReadOnlySpan<long> shape, Random random)
    {
        if (shape.IsEmpty)
        {
            WriteElement(json, type, random);
            return;
        }

        json.WriteStartArray();
        for (var i = 0; i < shape[0]; i++) Write(json, type, shape[1..], random);
        json.WriteEndArray();
    }

    // Whole numbers are likely to be indices of something: small ones exist everywhere.
    private static void WriteElement(Utf8JsonWriter json, TensorElement type, Random random)
    {
        switch (type)
        {
            case TensorElement.Bool:
                json.WriteBooleanValue(random.Next(2) == 1);
                break;
            case TensorElement.String:
                json.WriteStringValue("text");
                break;
            case TensorElement.Float16 or TensorElement.BFloat16 or TensorElement.Float32 or TensorElement.Float64:
                json.WriteNumberValue(Math.Round(random.NextDouble(), 4));
                break;
            default:
                json.WriteNumberValue(random.Next(2));
                break;
        }
    }
}
