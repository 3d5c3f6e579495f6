using System.Buffers;
using System.Text.Json;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Handlers;

namespace Serve.Worker.BuiltIn;

/// <summary>
/// <c>image_embedder</c>: a picture in, the model's output as one JSON list of numbers out, whatever its shape.
/// <c>handlerOptions.normalize: true</c> divides it by its Euclidean length, so that a dot product is a cosine.
/// </summary>
internal sealed class ImageEmbedder : IModelHandler, IWarmUp
{
    [ThreadStatic]
    private static Utf8JsonWriter? _writer;

    private PictureInput? _picture;
    private FloatOutput? _output;
    private bool _normalize;

    public void Load(HandlerContext context)
    {
        _picture = PictureInput.Find(context, "image_embedder");
        _output = FloatOutput.Find(context, "image_embedder");
        _normalize = HandlerOption.Flag(context, "normalize", false);
    }

    public void WarmUp(ModelConfiguration configuration) => PictureInput.WarmUp(configuration);

    public void WriteZeros(InputRow inputs) => _picture!.WriteZeros(inputs);

    public void Preprocess(HandlerRequest request, InputRow inputs) => _picture!.Write(request, inputs);

    public void Postprocess(HandlerRequest request, OutputRow outputs, HandlerResponse response)
    {
        var length = _output!.Length(outputs);
        var pooled = ArrayPool<float>.Shared.Rent(length);
        try
        {
            var values = pooled.AsSpan(0, length);
            _output.Read(outputs, values);
            if (_normalize) Normalize(values);
            WriteJson(response, values);
        }
        finally
        {
            ArrayPool<float>.Shared.Return(pooled);
        }
    }

    public void Dispose()
    {
    }

    private static void Normalize(Span<float> values)
    {
        var sum = 0.0;
        foreach (var value in values) sum += (double)value * value;
        var length = Math.Sqrt(sum);
        if (length == 0) return; // a zero vector has no direction; it stays
        for (var i = 0; i < values.Length; i++) values[i] = (float)(values[i] / length);
    }

    private static void WriteJson(HandlerResponse response, ReadOnlySpan<float> values)
    {
        response.ContentType = "application/json";
        var json = _writer ??= new Utf8JsonWriter(Stream.Null);
        json.Reset(response.Body);
        json.WriteStartArray();
        foreach (var value in values)
        {
            if (!float.IsFinite(value)) throw new InternalServerException("The model's output holds NaN or infinity: it is no embedding.");
            json.WriteNumberValue(value);
        }

        json.WriteEndArray();
        json.Flush();
    }
}
