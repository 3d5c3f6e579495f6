using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;

namespace Serve.Tests.EndToEnd.OpenInference;

/// <summary>Inference over REST, as a client written from the specification sees it.</summary>
[Collection(nameof(InferServer))]
public sealed class InferRestTests
{
    private readonly InferServer _models;
    private readonly InferClient _client;

    public InferRestTests(InferServer models, ITestOutputHelper output)
    {
        _models = models;
        _client = models.Rest;
        models.Server.ShowLogs(output);
    }

    [Fact]
    public async Task Tensors_come_back_as_they_were_asked_for()
    {
        var inputs = InferServer.Simple(rows: 2);
        foreach (var form in (Form[])[Form.Json, Form.Binary, Form.Mixed])
        {
            foreach (var model in (string[])["simple", "simple/versions/1.0"])
            {
                var result = await _client.InferAsync(model, inputs, form, new JsonObject { ["id"] = "42" });

                Assert.True(result.Answer.Status == HttpStatusCode.OK, result.Answer.Text);
                Assert.Equal(form == Form.Json ? "application/json" : "application/octet-stream", result.Answer.Headers["Content-Type"]);
                Assert.Equal(form != Form.Json, result.Answer.Headers.ContainsKey(InferClient.LengthHeader));
                Assert.Equal(("simple", "1.0", "42"), (result.Json.GetProperty("model_name").GetString(), result.Json.GetProperty("model_version").GetString(), result.Json.GetProperty("id").GetString()));
                Assert.Equal(["OUTPUT0", "OUTPUT1"], result.Outputs.Select(output => output.Name));
                Assert.Equal([2, 16], result["OUTPUT0"].Shape);
                Assert.Equal(Enumerable.Range(0, 32).Select(number => 3 * number), result["OUTPUT0"].Elements<int>());
                Assert.Equal(Enumerable.Range(0, 32).Select(number => -number), result["OUTPUT1"].Elements<int>());
            }
        }
    }

    [Fact]
    public async Task Small_integers_and_texts_are_no_exception()
    {
        var numbers = Enumerable.Range(-8, 16).Select(number => (sbyte)number).ToArray();
        foreach (var form in (Form[])[Form.Json, Form.Binary, Form.Mixed])
        {
            var sum = await _client.InferAsync("simple_int8", [WireTensor.Of("INPUT0", "INT8", [1, 16], numbers), WireTensor.Of("INPUT1", "INT8", [1, 16], numbers)], form);
            Assert.Equal(numbers.Select(number => (sbyte)(2 * number)), sum["OUTPUT0"].Elements<sbyte>());

            var texts = await _client.InferAsync("strings", [WireTensor.OfTexts("x", [2, 2], "", "é\"\n", "1", "\U0001F600")], form);
            Assert.Equal(["", "é\"\n", "1", "\U0001F600"], texts["y"].Texts());
        }
    }

    [Fact]
    public async Task Only_the_outputs_that_are_asked_for_come_each_in_its_form()
    {
        var one = await _client.InferAsync("simple", InferServer.Simple(), Form.Json, Outputs(("OUTPUT1", null)));
        Assert.Equal("OUTPUT1", Assert.Single(one.Outputs).Name);
        Assert.False(one.Json.TryGetProperty("id", out _));

        var mixed = await _client.InferAsync("simple", InferServer.Simple(), Form.Json, Outputs(("OUTPUT0", new JsonObject { ["binary_data"] = true }), ("OUTPUT1", new JsonObject { ["binary_data"] = false })));
        Assert.True(mixed.Json.GetProperty("outputs")[0].TryGetProperty("parameters", out _));
        Assert.True(mixed.Json.GetProperty("outputs")[1].TryGetProperty("data", out _));
        Assert.Equal(3, mixed["OUTPUT0"].Elements<int>()[1]);
        Assert.Equal(-1, mixed["OUTPUT1"].Elements<int>()[1]);

        var json = await _client.InferAsync("simple", InferServer.Simple(), Form.Binary, Outputs(("OUTPUT0", new JsonObject { ["binary_data"] = false })));
        Assert.Equal("application/json", json.Answer.Headers["Content-Type"]);
    }

    [Fact]
    public async Task A_body_without_JSON_is_the_tensor_of_the_only_input()
    {
        var row = WireTensor.Of("y", "FP32", [1, 5], 1f, 2f, float.NaN, 4f, -0f);
        var raw = await RawAsync("dynamic", row.Data);
        Assert.Equal("application/octet-stream", raw.Answer.Headers["Content-Type"]);
        Assert.Equal(row.Data, raw["y"].Data);
        Assert.Equal(row.Shape, raw["y"].Shape);

        var text = await RawAsync("strings", "plain bytes \u00e9"u8.ToArray());
        Assert.Equal(["plain bytes \u00e9"], text["y"].Texts());

        Assert.Contains("requires a model with one input", (await RawAsync("simple", [1, 2, 3])).Error(HttpStatusCode.BadRequest), StringComparison.Ordinal);
        Assert.Contains("byte size mismatch", (await RawAsync("dynamic", [1, 2, 3, 4, 5])).Error(HttpStatusCode.BadRequest), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("deflate")]
    public async Task Bodies_are_compressed_both_ways(string coding)
    {
        foreach (var form in (Form[])[Form.Json, Form.Mixed])
        {
            using var request = InferClient.Request("simple", InferServer.Simple(rows: 8), form, null);
            var plain = await request.Content!.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
            var packed = new ByteArrayContent(Pack(plain, coding));
            foreach (var header in request.Content.Headers) if (header.Key != "Content-Length") packed.Headers.Add(header.Key, header.Value);
            packed.Headers.ContentEncoding.Add(coding);
            request.Content = packed;
            request.Headers.Add("Accept-Encoding", $"identity;q=0.5, {coding}");

            var answer = await _models.Server.SendAsync(request);

            Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
            Assert.Equal(coding, answer.Headers["Content-Encoding"]);
            Assert.Equal(answer.Body.Length.ToString(System.Globalization.CultureInfo.InvariantCulture), answer.Headers["Content-Length"]);
            var result = InferClient.Read(answer with { Body = Unpack(answer.Body, coding) });
            Assert.Equal(Enumerable.Range(0, 128).Select(number => 3 * number), result["OUTPUT0"].Elements<int>());
        }
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("deflate")]
    public async Task A_packed_body_that_breaks_off_is_refused_whatever_is_missing(string coding)
    {
        using var request = InferClient.Request("simple", InferServer.Simple(rows: 1), Form.Json, null);
        var plain = await request.Content!.ReadAsStringAsync(TestContext.Current.CancellationToken);

        // Spaces behind the document: without the last of them it is as good.
        var random = new Random(1);
        var packed = Pack(Encoding.ASCII.GetBytes(plain + string.Concat(Enumerable.Range(0, 50_000).Select(_ => random.Next(2) == 0 ? ' ' : '\t'))), coding);
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("simple", new ByteArrayContent(packed), ("Content-Encoding", coding))).Answer.Status);
        (await SendAsync("simple", new ByteArrayContent(packed[..^1000]), ("Content-Encoding", coding))).Error(HttpStatusCode.BadRequest);
    }

    [Fact]
    public async Task What_cannot_be_unpacked_is_refused()
    {
        var unknown = await SendAsync("simple", new ByteArrayContent([1]), ("Content-Encoding", "br"));
        Assert.Equal(("Unsupported compression type", "gzip, deflate"), (unknown.Error(HttpStatusCode.NotImplemented), unknown.Answer.Headers["Accept-Encoding"]));
        (await SendAsync("simple", new ByteArrayContent([1, 2, 3]), ("Content-Encoding", "gzip"))).Error(HttpStatusCode.BadRequest);
        var bomb = await SendAsync("simple", new ByteArrayContent(Pack(new byte[20_000_000], "gzip")), ("Content-Encoding", "gzip"));
        Assert.Contains("16777216", bomb.Error(HttpStatusCode.RequestEntityTooLarge), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_in_chunks_and_without_a_media_type_is_read()
    {
        using var request = InferClient.Request("simple", InferServer.Simple(), Form.Mixed, null);
        request.Headers.TransferEncodingChunked = true;
        request.Content!.Headers.ContentLength = null;
        var result = InferClient.Read(await _models.Server.SendAsync(request));
        Assert.Equal(3, result["OUTPUT0"].Elements<int>()[1]);
    }

    [Fact]
    public async Task Classes_replace_a_tensor()
    {
        var result = await _client.InferAsync("simple", InferServer.Simple(rows: 2), Form.Json, Outputs(("OUTPUT0", new JsonObject { ["classification"] = 2 }), ("OUTPUT1", new JsonObject { ["classification"] = 99, ["binary_data"] = true })));
        Assert.Equal(("BYTES", "45:15,42:14,93:15,90:14"), (result["OUTPUT0"].Datatype, string.Join(',', result["OUTPUT0"].Texts())));
        Assert.Equal([2, 2], result["OUTPUT0"].Shape);
        Assert.Equal([2, 16], result["OUTPUT1"].Shape);
        Assert.Equal("0:0", result["OUTPUT1"].Texts().First());

        Assert.Contains("class result not available", (await _client.InferAsync("strings", [WireTensor.OfTexts("x", [1, 1], "a")], Form.Json, Outputs(("y", new JsonObject { ["classification"] = 1 })))).Error(HttpStatusCode.BadRequest), StringComparison.Ordinal);
    }

    // Its configuration says max_batch_size 0 and has no labels of two outputs.
    [Fact]
    public async Task Classes_of_a_model_without_a_batch_have_no_dimension_for_it()
    {
        var one = await _client.InferAsync("fixed", [WireTensor.Of("x", "FP32", [1, 3], 1f, 3f, 2f)], Form.Json, Outputs(("y", new JsonObject { ["classification"] = 2 })));
        var two = await _client.InferAsync("fixed_two", [WireTensor.Of("x", "FP32", [1, 3], 1f, 3f, 2f)], Form.Json, Outputs(("y", new JsonObject { ["classification"] = 1 })));

        Assert.Equal([2], one["y"].Shape);
        Assert.Equal("3.000000:1:b,2.000000:2:c", string.Join(',', one["y"].Texts()));
        Assert.Equal("3.000000:1", string.Join(',', two["y"].Texts()));
    }

    [Fact]
    public async Task A_picture_model_without_its_handler_takes_pixels_and_its_classes_have_labels()
    {
        var metadata = await _models.Server.GetAsync("/v2/models/fashion-vit");
        Assert.True(metadata.Status == HttpStatusCode.OK, metadata.Text);
        var input = metadata.Json.GetProperty("inputs")[0];
        long[] shape = [1, .. input.GetProperty("shape").EnumerateArray().Skip(1).Select(dimension => dimension.GetInt64())];
        var pixels = WireTensor.Of(input.GetProperty("name").GetString()!, "FP32", shape, new float[shape.Aggregate(1L, (product, dimension) => product * dimension)]);

        var result = await _client.InferAsync("fashion-vit", [pixels], Form.Binary, Outputs((metadata.Json.GetProperty("outputs")[0].GetProperty("name").GetString()!, new JsonObject { ["classification"] = 3 })));

        Assert.Equal([1, 3], result.Outputs[0].Shape);
        Assert.All(result.Outputs[0].Texts(), text => Assert.Matches(@"^-?\d+\.\d{6}:\d:[A-Z].*$", text));
    }

    [Fact]
    public async Task What_does_not_fit_the_model_is_said_in_Tritons_words()
    {
        var good = InferServer.Simple();
        await RefusedAsync("expected 2 inputs but got 1 inputs for model 'simple'. Got input(s) ['INPUT0'], but missing required input(s) ['INPUT1']", good[..1]);
        await RefusedAsync("inference input 'INPUT0' data-type is 'FP32', but model 'simple' expects 'INT32'", [good[0] with { Datatype = "FP32" }, good[1]]);
        await RefusedAsync("unexpected shape for input 'INPUT0' for model 'simple'. Expected [-1,16], got [1,17]", [WireTensor.Of("INPUT0", "INT32", [1, 17], new int[17]), good[1]]);
        await RefusedAsync("unexpected shape for input 'INPUT0' for model 'simple'. Expected [-1,16], got [16]", [good[0] with { Shape = [16] }, good[1]]);
        await RefusedAsync("inference request batch-size must be <= 8 for 'simple'", InferServer.Simple(rows: 9));
        await RefusedAsync("batch size does not match other inputs for 'simple'", [InferServer.Simple(rows: 2)[0], good[1]]);
        await RefusedAsync("input byte size mismatch for input 'INPUT1' for model 'simple'. Expected 64, got 60", [good[0], good[1] with { Data = new byte[60] }]);
        await RefusedAsync("unexpected inference input 'nothing' for model 'simple'", [good[0], good[1] with { Name = "nothing" }]);
        await RefusedAsync("input 'INPUT0' already exists in request", [good[0], good[0]]);
        await RefusedAsync("unexpected inference output 'nothing' for model 'simple'", good, Outputs(("nothing", null)));
        await RefusedAsync("output 'OUTPUT0' already exists in request", good, Outputs(("OUTPUT0", null), ("OUTPUT0", null)));

        var half = WireTensor.Of("x", "FP16", [1, 2], (Half)1, (Half)2);
        Assert.Contains("FP16 data via JSON is not supported", (await _client.InferAsync("half", [half], Form.Binary, Outputs(("y", new JsonObject { ["binary_data"] = false })))).Error(HttpStatusCode.BadRequest), StringComparison.Ordinal);
        Assert.Equal(half.Data, (await _client.InferAsync("half", [half], Form.Binary))["y"].Data);

        async Task RefusedAsync(string message, WireTensor[] inputs, JsonObject? more = null) =>
            Assert.Contains(message, (await _client.InferAsync("simple", inputs, Form.Binary, more)).Error(HttpStatusCode.BadRequest), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Models_that_are_not_there_or_not_of_this_kind_say_so()
    {
        Assert.StartsWith("Request for unknown model: 'nobody' is not found", (await _client.InferAsync("nobody", InferServer.Simple())).Error(HttpStatusCode.NotFound), StringComparison.Ordinal);
        Assert.Contains("version 9 is not found", (await _client.InferAsync("simple/versions/9", InferServer.Simple())).Error(HttpStatusCode.NotFound), StringComparison.Ordinal);
        Assert.Contains("IDeclaresTensors", (await _client.InferAsync("echo", InferServer.Simple())).Error(HttpStatusCode.BadRequest), StringComparison.Ordinal);
        Assert.Equal("HTTP end point doesn't support models with decoupled transaction policy", (await _client.InferAsync("repeat", InferServer.Simple())).Error(HttpStatusCode.NotImplemented));
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await _models.Server.GetAsync("/v2/models/simple/infer")).Status);
    }

    [Fact]
    public async Task Priority_and_timeout_are_the_schedulers()
    {
        foreach (var priority in (int[])[0, 1, 3, 99])
        {
            var result = await _client.InferAsync("simple", InferServer.Simple(), Form.Json, new JsonObject { ["parameters"] = new JsonObject { ["priority"] = priority, ["timeout"] = 5_000_000, ["mine"] = "kept" } });
            Assert.True(result.Answer.Status == HttpStatusCode.OK, result.Answer.Text);
        }

        var late = await _client.InferAsync("simple", InferServer.Simple(), Form.Json, new JsonObject { ["parameters"] = new JsonObject { ["timeout"] = 1 } });
        late.Error(HttpStatusCode.ServiceUnavailable);
    }

    [Fact]
    public async Task Priority_and_timeout_may_be_headers_as_everywhere()
    {
        // The model has three levels: a header is checked, a parameter goes before it.
        Assert.Contains("The priority is 9", (await AskAsync("x-serve-priority", "9")).Error(HttpStatusCode.BadRequest), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync("x-serve-priority", "9", new JsonObject { ["priority"] = 1 })).Answer.Status);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync("x-serve-priority", "3")).Answer.Status);
        Assert.Contains("x-serve-timeout-ms", (await AskAsync("x-serve-timeout-ms", "soon")).Error(HttpStatusCode.BadRequest), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync("x-serve-timeout-ms", "20000")).Answer.Status);

        async Task<InferResult> AskAsync(string header, string value, JsonObject? parameters = null)
        {
            using var message = InferClient.Request("simple", InferServer.Simple(), Form.Json, parameters is null ? null : new JsonObject { ["parameters"] = parameters });
            message.Headers.Add(header, value);
            return InferClient.Read(await _models.Server.SendAsync(message));
        }
    }

    private static JsonObject Outputs(params (string Name, JsonObject? Parameters)[] outputs)
    {
        var list = new JsonArray();
        foreach (var (name, parameters) in outputs)
        {
            var output = new JsonObject { ["name"] = name };
            if (parameters is not null) output["parameters"] = parameters;
            list.Add(output);
        }

        return new JsonObject { ["outputs"] = list };
    }

    private static byte[] Pack(byte[] bytes, string coding)
    {
        using var packed = new MemoryStream();
        using (Stream packing = coding == "gzip" ? new GZipStream(packed, CompressionMode.Compress) : new ZLibStream(packed, CompressionMode.Compress)) packing.Write(bytes);
        return packed.ToArray();
    }

    private static byte[] Unpack(byte[] packed, string coding)
    {
        using var source = new MemoryStream(packed);
        using Stream unpacking = coding == "gzip" ? new GZipStream(source, CompressionMode.Decompress) : new ZLibStream(source, CompressionMode.Decompress);
        using var unpacked = new MemoryStream();
        unpacking.CopyTo(unpacked);
        return unpacked.ToArray();
    }

    private Task<InferResult> RawAsync(string model, byte[] body) => SendAsync(model, new ByteArrayContent(body), (InferClient.LengthHeader, "0"));

    private async Task<InferResult> SendAsync(string model, HttpContent content, (string Name, string Value) header)
    {
        content.Headers.TryAddWithoutValidation(header.Name, header.Value);
        return InferClient.Read(await _models.Server.SendAsync(new HttpRequestMessage(HttpMethod.Post, $"/v2/models/{model}/infer") { Content = content }));
    }
}
