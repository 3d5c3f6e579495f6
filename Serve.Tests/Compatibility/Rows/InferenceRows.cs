using System.Net;
using Serve.Tests.EndToEnd;
using Serve.Tests.EndToEnd.OpenInference;
using Serve.Tests.Frontend.Hosting;
using Serve.Tests.Worker.Images;

namespace Serve.Tests.Compatibility.Rows;

/// <summary>Sections 1.0 to 1.3: the way of a request.</summary>
internal static class InferenceRows
{
    private const string NotFound = "Requested resource is not found, please refer to API document.";

    /// <summary>A PNG of 60,000 by 60,000 pixels in a few bytes.</summary>
    private static byte[] Bomb()
    {
        using var png = new MemoryStream();
        png.Write([0x89, .. "PNG\r\n\x1a\n"u8]);
        PngChunks.Write(png, "IHDR"u8, [0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60, 8, 0, 0, 0, 0]);
        PngChunks.Write(png, "IDAT"u8, [0x78, 0x9C, 3, 0, 0, 0, 0, 1]);
        PngChunks.Write(png, "IEND"u8, []);
        return png.ToArray();
    }

    public static IEnumerable<Section> All =>
    [
        new("1.0", "The order of handlers",
        [
            Row.Same("The API's description comes before authorization: it never needs a token", Evidence.In<TokenTests>(nameof(TokenTests.Each_token_opens_what_it_is_for))),
            Row.Same("Then the token of the listener's kind, where tokens are on; `/ping` needs the inference token too", Evidence.In<TokenTests>(nameof(TokenTests.Without_a_valid_token_everything_is_a_401_in_the_shape_of_other_errors))),
            Row.Not("Endpoints of plug-ins are looked up first", "Plug-ins are Java; Serve runs none."),
            Row.Not("One address may serve inference and management (`ConnectorType.ALL`)", "Each interface has an address of its own, so that one can be closed without the other; a shared one is refused at start."),
            Row.Not("Metrics may share the address of inference", "They have a listener of their own."),
            Row.Same("What no handler knows is a 404", s => s.IsAsync("GET /nowhere", 404, NotFound, "ResourceNotFoundException")),
            Row.Same("The metrics listener never asks for a token", Evidence.In<TokenTests>(nameof(TokenTests.Metrics_need_no_token_and_count_those_who_had_none))),
        ]),
        new("1.1", "Routes",
        [
            Row.Same("`OPTIONS /`: OpenAPI 3.0.1, title \"TorchServe APIs\"", async s =>
            {
                var document = await s.JsonAsync("OPTIONS /");
                Assert.Equal(("3.0.1", "TorchServe APIs"), (document.GetProperty("openapi").GetString(), document.GetProperty("info").GetProperty("title").GetString()));
            }),
            Row.Same("Any other verb of `/`: 405", s => s.IsAsync("GET /", 405, "Requested method is not allowed, please refer to API document.", "MethodNotAllowedException")),
            Row.Same("`/api-description`, any verb: the same document", async s => Assert.Equal((await s.AskAsync("OPTIONS /")).Text, (await s.AskAsync("POST /api-description")).Text)),
            Row.Same("`/ping`, any verb", async s =>
            {
                foreach (var verb in (string[])["GET", "POST", "PUT", "DELETE"]) await s.IsAsync($"{verb} /ping", 200, "Healthy");
            }),
            Row.Same("`/predictions/{model}`, any verb: the default version", async s =>
            {
                foreach (var verb in (string[])["GET", "POST", "PUT", "DELETE", "PATCH"]) Assert.Equal("body=x", (await s.GivenAsync($"{verb} /predictions/headers", "x")).Parts);
            }),
            Row.Same("`/predictions/{model}/{version}`", s => s.GivenAsync("POST /predictions/headers/2.0", "x")),
            Row.Same("`/predictions/{model}/{version}/{rest}`: the handler gets `rest` as `url_path`", async s => Assert.Equal("a/b", (await s.GivenAsync("POST /predictions/headers/2.0/a/b", "x")).Headers.GetProperty("url_path").GetString())),
            Row.Differs("`OPTIONS /predictions/{model}`: OpenAPI of the model, \"RESTful API for: X\", path `/prediction/X`", "The path is `/predictions/X`, where the model is.", async s =>
            {
                var document = await s.JsonAsync("OPTIONS /predictions/echo");
                Assert.Equal("RESTful API for: echo", document.GetProperty("info").GetProperty("title").GetString());
                Assert.True(document.GetProperty("paths").TryGetProperty("/predictions/echo", out _));
            }),
            Row.Same("`/predictions` without a model: 404", s => s.IsAsync("POST /predictions", 404, NotFound, "ResourceNotFoundException")),
            Row.Later("`/explanations/{model}[/{version}]`", s => s.IsAsync("POST /explanations/echo", 404, NotFound)),
            Row.Same("`/invocations`: the model by the query's `model_name`; query parameters are inputs", async s => Assert.Equal("body=x a=1", (await s.GivenAsync("POST /invocations?model_name=headers&a=1", "x")).Parts)),
            Row.Same("`/invocations`: the model by a form's field `model_name`", async s => Assert.Equal("model_name=headers a=1", (await s.GivenAsync("POST /invocations", "model_name=headers&a=1", "application/x-www-form-urlencoded")).Parts)),
            Row.Same("`/invocations`: the only model there is", Evidence.In<InferenceApiTests>(nameof(InferenceApiTests.A_picture_gets_its_labels))),
            Row.Same("`/invocations` with several models and no name: 400 \"Parameter model_name is required.\"", s => s.IsAsync("POST /invocations", 400, "Parameter model_name is required.", "BadRequestException")),
            Row.Same("`/models/{model}/invoke`: query parameters are inputs", async s => Assert.Equal("body=x a=1", (await s.GivenAsync("POST /models/headers/invoke?a=1", "x")).Parts)),
            Row.Same("`/{model}/predict`, `/{model}/{version}/predict`: query parameters are inputs", async s =>
            {
                Assert.Equal("a=1", (await s.GivenAsync("GET /headers/predict?a=1")).Parts);
                Assert.Equal("a=1", (await s.GivenAsync("GET /headers/2.0/predict?a=1")).Parts);
            }),
            Row.Same("`/v1/models/{model}:predict`", s => s.IsAsync("POST /v1/models/echo:predict", 200, body: """{"instances": [1]}""")),
            Row.Later("`/v1/models/{model}:explain`", s => s.IsAsync("POST /v1/models/echo:explain", 404)),
            Row.Same("`/v2/models/{model}/infer`", Evidence.In<InferRestTests>(nameof(InferRestTests.Tensors_come_back_as_they_were_asked_for))),
            Row.Later("`/v2/models/{model}/explain`", "With explanations."),
            Row.Later("`/wfpredict/{workflow}`", s => s.IsAsync("POST /wfpredict/w", 404, NotFound)),
            Row.Same("`/v2`, `/v2/health/live`, `/v2/health/ready`, `/v2/models/{m}/versions/…`", Evidence.In<HealthAndMetadataTests>(nameof(HealthAndMetadataTests.Server_and_models_say_whether_they_take_requests))),
            Row.Not("Endpoints of plug-ins, such as SageMaker's `execution-parameters`", "Plug-ins are Java."),
            Row.Same("The document of `OPTIONS /` lists what there is", Evidence.In<OpenApiTests>(nameof(OpenApiTests.Every_route_is_in_the_document_and_the_document_has_no_others)), "Of Serve: it is made of the routes."),
        ]),
        new("1.2", "What a handler gets",
        [
            Row.Same("`multipart/form-data`: each part is an input by its name; file parts keep their media type", async s =>
            {
                const string Body = "--b\r\nContent-Disposition: form-data; name=\"data\"; filename=\"x.png\"\r\nContent-Type: image/png\r\n\r\nbytes\r\n--b\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n1\r\n--b--\r\n";
                var answer = await s.AskAsync("POST /predictions/headers", Body, "multipart/form-data; boundary=b");
                Assert.Equal("image/png", answer.Json.GetProperty("parts")[0].GetProperty("contentType").GetString());
                Assert.Equal("data=bytes n=1", (await s.GivenAsync("POST /predictions/headers", Body, "multipart/form-data; boundary=b")).Parts);
            }),
            Row.Same("`application/x-www-form-urlencoded`: each field is an input", async s => Assert.Equal("data=a b n=ä", (await s.GivenAsync("POST /predictions/headers", "data=a+b&n=%C3%A4", "application/x-www-form-urlencoded")).Parts)),
            Row.Same("Any other media type: the body is one input `body` of that type", async s =>
            {
                var answer = await s.AskAsync("POST /predictions/headers", "{}", "application/json");
                Assert.Equal(("body", "application/json"), (answer.Json.GetProperty("parts")[0].GetProperty("name").GetString(), answer.Json.GetProperty("parts")[0].GetProperty("contentType").GetString()));
            }),
            Row.Same("Query parameters are no inputs on `/predictions`", async s => Assert.Equal("body=x", (await s.GivenAsync("POST /predictions/headers?a=1", "x")).Parts)),
            Row.Differs("All headers go to the worker", "All but those of the connection (`Connection`, `Transfer-Encoding`, `Expect`, …) and the server's own tokens.", async s => Assert.Equal("7", (await s.GivenAsync("POST /predictions/headers", "x", null, ("X-Mine", "7"))).Headers.GetProperty("X-Mine").GetString())),
            Row.Same("Stock handlers read `data`, else `body`", Evidence.In<InferenceApiTests>(nameof(InferenceApiTests.A_picture_in_a_form_gets_its_labels))),
            Row.Differs("`decode_input_request`: JSON becomes a dictionary and text a string before the handler", "A handler gets the bytes and their media type, and decodes what it needs.", async s => Assert.Equal("body={\"a\":1}", (await s.GivenAsync("POST /predictions/headers", "{\"a\":1}", "application/json")).Parts)),
            Row.Differs("A body beyond `max_request_size`: 413 with an empty body", "413 with the JSON of every error.", s => s.IsAsync("POST /predictions/echo", 413, "The request body is larger than the limit of 1048576 bytes (maxRequestSize).", "PayloadTooLargeException", new string('x', 1_048_577))),
            Row.Differs("`limit_max_image_pixels`: a guard against bombs of pixels, which can be switched off", "There always is a limit (`preprocessing.maxImagePixels`), checked before anything is decoded.", async s =>
            {
                var answer = await s.Server.PredictAsync("fashion-vit", Bomb());
                Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
                Assert.Contains("pixels", answer.Error.Message, StringComparison.Ordinal);
            }),
        ]),
        new("1.3", "What comes back",
        [
            Row.Same("A worker's bytes are passed through", async s => Assert.Equal("any\0bytes", (await s.IsAsync("POST /predictions/echo", 200, body: "any\0bytes", type: "application/octet-stream")).Text)),
            Row.Not("Tensors are serialised by `torch.save`, other objects as JSON", "A .NET handler writes its answer itself; the stock ones answer JSON."),
            Row.Same("Content-Type only if the handler sets one", async s =>
            {
                Assert.DoesNotContain("Content-Type", (await s.AskAsync("POST /predictions/echo", "x")).Headers);
                Assert.Equal("text/x-own", (await s.AskAsync("POST /predictions/echo", "x", "text/x-own")).Headers["Content-Type"]);
            }),
            Row.Same("A handler may set a request's status", s => s.IsAsync("POST /predictions/failing", 418, "I am a teapot.", body: "teapot")),
            Row.Not("A handler may set the status's phrase", "HTTP/2 has none, and no client should read it; Serve sends the status's own."),
            Row.Same("A handler may set headers", async s => Assert.Equal("yes", (await s.AskAsync("POST /predictions/headers", "x")).Headers["X-Echo"])),
            Row.Differs("`x-request-id` on every answer, a UUID of the server's", "A client's own `x-request-id` comes back; without one it is a UUID.", async s =>
            {
                Assert.True(Guid.TryParse((await s.AskAsync("GET /ping")).Headers["x-request-id"], out _));
                Assert.Equal("mine", (await s.AskAsync("GET /ping", headers: ("x-request-id", "mine"))).Headers["x-request-id"]);
            }),
            Row.Same("`Pragma`, `Cache-Control` and `Expires` forbid caching, on every answer", async s =>
            {
                foreach (var request in (string[])["GET /ping", "POST /predictions/echo", "GET /nowhere", "M:GET /models", "X:GET /metrics"])
                {
                    var headers = (await s.AskAsync(request)).Headers;
                    Assert.Equal("no-cache", headers["Pragma"]);
                    Assert.Contains("no-store", headers["Cache-Control"], StringComparison.Ordinal);
                    Assert.StartsWith("Thu, 01 Jan 1970 00:00:00", headers["Expires"], StringComparison.Ordinal);
                }
            }),
            Row.Same("`content-length`", async s => Assert.Equal("3", (await s.AskAsync("POST /predictions/echo", "abc")).Headers["Content-Length"])),
            Row.Differs("`Connection: close` when the status is 400 or more", "It stays open, so that a client's mistakes cost it no new connection; it is closed after 413, after `Expect: 100-continue`, and while the server stops.", async s => Assert.DoesNotContain("Connection", (await s.AskAsync("GET /nowhere")).Headers)),
            Row.Same("CORS headers, if they are configured", async s =>
            {
                var headers = (await s.AskAsync("POST /predictions/echo", "x", null, ("Origin", "https://app.example.com"))).Headers;
                Assert.Equal(("https://app.example.com", "GET, POST, PUT, OPTIONS", "X-Custom-Header"), (headers["Access-Control-Allow-Origin"], headers["Access-Control-Allow-Methods"], headers["Access-Control-Allow-Headers"]));
            }),
            Row.Differs("CORS headers on every listener", "On the inference listener: a page in an operator's browser must not manage models.", async s => Assert.DoesNotContain("Access-Control-Allow-Origin", (await s.AskAsync("M:GET /models", headers: ("Origin", "https://app.example.com"))).Headers)),
            Row.Same("The server's own JSON: `application/json`, indented, a newline at its end, null fields left out", async s =>
            {
                var answer = await s.IsAsync("M:GET /models?limit=1", 200);
                Assert.Equal(HttpStatusCode.OK, answer.Status);
                Assert.StartsWith("{\n  \"nextPageToken\": \"1\",\n", answer.Text, StringComparison.Ordinal);
                Assert.EndsWith("\n}\n", answer.Text, StringComparison.Ordinal);
                Assert.DoesNotContain("null", (await s.AskAsync("M:GET /models/idle")).Text, StringComparison.Ordinal);
            }),
        ]),
    ];
}
