using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Worker.BuiltIn;
using Serve.Worker.Execution;
using Serve.Worker.Pipeline;

namespace Serve.Tests.Worker;

public sealed class ImageClassifierTests
{
    private static readonly ModelSignature Signature = new(
        [new TensorInfo("pixels", TensorElement.Float32, [-1, 3, 28, 28])],
        [new TensorInfo("logits", TensorElement.Float32, [-1, 4])],
        RowBatching.Dynamic);

    private static readonly byte[] Picture = FashionData.Picture(0);

    [Fact]
    public void Labels_and_probabilities_come_in_descending_order_as_TorchServe_writes_them()
    {
        var text = Classify(["cat", "dog", "käfer \"B\"", "emu"], 3, [1, 3, 2, 0]);

        Assert.Equal("{\n  \"dog\": 0.6439143,\n  \"käfer \\\"B\\\"\": 0.23688282,\n  \"cat\": 0.087144315\n}", text);
    }

    [Fact]
    public void Of_classes_with_the_same_label_the_less_probable_ones_have_their_index_too()
    {
        Assert.Equal(["crane", "emu", "crane (0)", "crane (3)"], JsonDocument.Parse(Classify(["crane", "emu", "crane", "crane"], 4, [1, 2, 3, 0])).RootElement.EnumerateObject().Select(entry => entry.Name));
    }

    [Fact]
    public void Without_labels_the_keys_are_class_indices()
    {
        Assert.Equal(["3", "0"], JsonDocument.Parse(Classify([], 2, [2, 0, 1, 5])).RootElement.EnumerateObject().Select(entry => entry.Name));
    }

    [Fact]
    public void Logits_of_any_size_give_probabilities()
    {
        Assert.Equal([1.0, 0.0], JsonDocument.Parse(Classify([], 2, [1e30f, -1e30f, 0, 0])).RootElement.EnumerateObject().Select(entry => entry.Value.GetDouble()));
    }

    [Fact]
    public void Softmax_can_be_switched_off()
    {
        Assert.Equal("{\n  \"1\": 0.75\n}", Classify([], 1, [0.25f, 0.75f, 0, 0], new() { ["softmax"] = "false" }));
    }

    [Fact]
    public void NaN_is_an_error_not_an_answer()
    {
        Assert.Throws<InternalServerException>(() => Classify([], 2, [float.NaN, 0, 0, 0]));
    }

    [Fact]
    public void Equal_scores_keep_the_order_of_the_classes()
    {
        var best = new int[3];

        TopClasses.Select([1, 2, 2, 1, 2], best);

        Assert.Equal([1, 2, 4], best);
    }

    [Fact]
    public void Top_classes_are_those_that_sorting_gives()
    {
        var random = new Random(3);
        for (var round = 0; round < 200; round++)
        {
            var scores = Enumerable.Range(0, random.Next(1, 50)).Select(_ => (float)random.Next(20)).ToArray();
            var best = new int[random.Next(1, scores.Length + 1)];

            TopClasses.Select(scores, best);

            Assert.Equal(Enumerable.Range(0, scores.Length).OrderByDescending(index => scores[index]).Take(best.Length), best);
        }
    }

    public static TheoryData<string, string> EncodedPictures()
    {
        var base64 = Convert.ToBase64String(Picture);
        return new TheoryData<string, string>
        {
            { "text/plain", base64 },
            { "text/plain; charset=utf-8", base64.Insert(40, "\r\n") },
            { "text/plain", "data:image/png;base64," + base64 },
            { "", "data:image/png;base64," + base64 },
            { "application/json", $"\"{base64}\"" },
            { "application/json", $"\"{base64.Replace("/", "\\/", StringComparison.Ordinal)}\"" },
            { "application/json", $$"""{"id":{"a":1},"data":"{{base64}}"}""" },
            { "application/json", $$"""{"b64":"{{base64}}"}""" },
        };
    }

    [Theory]
    [MemberData(nameof(EncodedPictures))]
    public void A_picture_may_come_as_base64(string contentType, string body)
    {
        using var plain = new BatchRow(Signature, 1);
        using var encoded = new BatchRow(Signature, 1);
        var handler = Load([], 1, []);

        handler.Preprocess(new HandlerRequest(1, [new RequestPart("body", "image/png", Picture)], []), plain.Inputs);
        handler.Preprocess(new HandlerRequest(2, [new RequestPart("data", contentType, Encoding.UTF8.GetBytes(body))], []), encoded.Inputs);

        Assert.True(plain.Inputs.Slots[0].Bytes.SequenceEqual(encoded.Inputs.Slots[0].Bytes));
    }

    [Theory]
    [InlineData("text/plain", "no base64!", "The text is not base64: it goes wrong at or after character ")]
    [InlineData("application/json", "{\"x\":1}", "There is no picture in the request: a JSON body must be a base64 string")]
    [InlineData("application/json", "{\"data\":1}", "There is no picture in the request: a JSON body must be a base64 string")]
    [InlineData("application/json", "[", "There is no picture in the request: ")]
    [InlineData("application/json", "{", "The body is not valid JSON: ")]
    [InlineData("application/json", """{"data":"\ud800"}""", "The body is not valid JSON: ")]
    [InlineData("application/json", """{"\ud800":1,"data":"aGk="}""", "The body is not valid JSON: ")]
    [InlineData("text/plain", "data:image/png,abc", "The data URL is not of the form data:image/png;base64,….")]
    public void Text_that_is_no_picture_is_refused(string contentType, string body, string message)
    {
        using var row = new BatchRow(Signature, 1);
        var request = new HandlerRequest(1, [new RequestPart("body", contentType, Encoding.UTF8.GetBytes(body))], []);

        var refused = Assert.Throws<BadRequestException>(() => Load([], 1, []).Preprocess(request, row.Inputs));

        Assert.StartsWith(message, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_that_takes_only_several_pictures_at_once_is_refused_when_it_is_loaded()
    {
        var signature = new ModelSignature([new TensorInfo("pixels", TensorElement.Float32, [8, 3, 28, 28])], [new TensorInfo("logits", TensorElement.Float32, [8, 4])], RowBatching.None);

        var refused = Assert.Throws<InvalidModelException>(() => Load([], 1, [], signature));

        Assert.Equal("image_classifier feeds one picture for each request, and the model's input 'pixels' of shape [8, 3, 28, 28] takes 8 at once; export it with a dynamic batch.", refused.Message);
    }

    private static ImageClassifier Load(string[] labels, int topK, Dictionary<string, string> options, ModelSignature? signature = null)
    {
        var handler = new ImageClassifier();
        handler.Load(new HandlerContext
        {
            ModelName = "test",
            ModelVersion = "1",
            ModelFolder = "",
            Labels = labels,
            Signature = signature ?? Signature,
            Logger = NullLogger.Instance,
            Configuration = FashionData.Configuration with { TopK = topK, HandlerOptions = options },
        });
        return handler;
    }

    private static string Classify(string[] labels, int topK, float[] logits, Dictionary<string, string>? options = null)
    {
        var response = new WorkerResponse();
        Load(labels, topK, options ?? []).Postprocess(new HandlerRequest(1, [], []), new OneOutput(logits), response);
        var bytes = response.DetachBody(out var length);
        return Encoding.UTF8.GetString(bytes, 0, length);
    }

    private sealed class OneOutput(float[] values) : OutputRow
    {
        public override IReadOnlyList<TensorInfo> Outputs => Signature.Outputs;

        public override ReadOnlySpan<long> Shape(string name) => new long[] { values.Length };

        public override ReadOnlySpan<byte> Bytes(string name) => System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(values);

        public override IReadOnlyList<string> Strings(string name) => [];
    }
}
