using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Handlers;

namespace Serve.Worker.BuiltIn;

/// <summary>
/// <c>image_classifier</c>: a picture in, the most probable classes out, label to probability in descending order, as
/// TorchServe's handler of that name answers. Softmax is applied to the model's output; <c>handlerOptions.softmax: false</c>
/// is for models that end in one.
/// </summary>
internal sealed class ImageClassifier : IModelHandler, IWarmUp
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    [ThreadStatic]
    private static Utf8JsonWriter? _writer;

    private PictureInput? _picture;
    private FloatOutput? _output;
    private IReadOnlyList<string> _labels = [];
    private int _topK;
    private bool _softmax;

    public void Load(HandlerContext context)
    {
        _picture = PictureInput.Find(context, "image_classifier");
        _output = FloatOutput.Find(context, "image_classifier");
        _labels = context.Labels;
        _topK = context.Configuration.TopK;
        _softmax = HandlerOption.Flag(context, "softmax", true);
        if (_labels.Count > 0 && _output.FixedLength is { } classes && _labels.Count < classes)
        {
            throw new InvalidModelException($"The label file has {_labels.Count} labels, but the model has {classes} classes.");
        }
    }

    public void WarmUp(ModelConfiguration configuration) => PictureInput.WarmUp(configuration);

    public void WriteZeros(InputRow inputs) => _picture!.WriteZeros(inputs);

    public void Preprocess(HandlerRequest request, InputRow inputs) => _picture!.Write(request, inputs);

    public void Postprocess(HandlerRequest request, OutputRow outputs, HandlerResponse response)
    {
        var classes = _output!.Length(outputs);
        var scores = ArrayPool<float>.Shared.Rent(classes);
        var order = ArrayPool<int>.Shared.Rent(classes);
        try
        {
            var values = scores.AsSpan(0, classes);
            _output.Read(outputs, values);
            if (_softmax) Softmax(values);
            var best = order.AsSpan(0, Math.Min(_topK, classes));
            TopClasses.Select(values, best);
            WriteJson(response, values, best);
        }
        finally
        {
            ArrayPool<float>.Shared.Return(scores);
            ArrayPool<int>.Shared.Return(order);
        }
    }

    public void Dispose()
    {
    }

    private static void Softmax(Span<float> values)
    {
        // Nothing of a model's is trusted to be small: the largest is taken off before exp.
        var largest = float.NegativeInfinity;
        foreach (var value in values) largest = Math.Max(largest, value);

        var sum = 0.0;
        for (var i = 0; i < values.Length; i++)
        {
            var exponential = Math.Exp(values[i] - largest);
            values[i] = (float)exponential;
            sum += exponential;
        }

        for (var i = 0; i < values.Length; i++) values[i] = (float)(values[i] / sum);
    }

    private bool IsTaken(string label, ReadOnlySpan<int> classes)
    {
        foreach (var index in classes)
        {
            if (index < _labels.Count && _labels[index] == label) return true;
        }

        return false;
    }

    private void WriteJson(HandlerResponse response, ReadOnlySpan<float> probabilities, ReadOnlySpan<int> best)
    {
        response.ContentType = "application/json";
        var json = _writer ??= new Utf8JsonWriter(Stream.Null, Indented);
        json.Reset(response.Body);
        json.WriteStartObject();
        for (var place = 0; place < best.Length; place++)
        {
            var index = best[place];
            if (!float.IsFinite(probabilities[index])) throw new InternalServerException("The model's output holds NaN: there are no probabilities.");

            // ImageNet has two classes "crane" and two "maillot": of a key that comes twice parsers keep the last, which is the less probable.
            if (index < _labels.Count && IsTaken(_labels[index], best[..place])) json.WritePropertyName(string.Create(CultureInfo.InvariantCulture, $"{_labels[index]} ({index})"));
            else json.WritePropertyName(index < _labels.Count ? _labels[index] : index.ToString(CultureInfo.InvariantCulture));
            json.WriteNumberValue(probabilities[index]);
        }

        json.WriteEndObject();
        json.Flush();
    }
}
