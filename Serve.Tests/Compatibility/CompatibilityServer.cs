using System.Net;
using System.Text;
using System.Text.Json;
using Serve.Tests.EndToEnd;

namespace Serve.Tests.Compatibility;

/// <summary>
/// The server that the rows are checked against. Its configuration is TorchServe's, imported, and its models are in the
/// store that this names: <c>headers</c> (1.0 the default, and 2.0) answers with the request, <c>echo</c> with the body,
/// <c>failing</c> with what the body says, <c>idle</c> has no workers; <c>fashion-vit</c> is an ONNX model.
/// </summary>
public sealed class CompatibilityServer : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("serve-compat-");
    private ServerFixture? _server;

    internal ServerFixture Server => _server ?? throw new InvalidOperationException("The server has not been started.");

    internal string Store => Path.Combine(_folder.FullName, "store");

    public async ValueTask InitializeAsync()
    {
        HandlerModels.Write(Store, "headers", "HeaderEchoHandler");
        HandlerModels.Write(Store, "echo", "EchoHandler", "batchSize: 4");
        HandlerModels.Write(Store, "failing", "FailingHandler", "batchSize: 2");
        HandlerModels.Write(Store, "idle", "EchoHandler", "minWorkers: 0\nmaxWorkers: 1");
        Copy("fashion-vit", "fashion-vit");
        var properties = Path.Combine(_folder.FullName, "config.properties");
        await File.WriteAllTextAsync(properties, $"""
            inference_address=http://127.0.0.1:0
            management_address=http://127.0.0.1:0
            metrics_address=http://127.0.0.1:0
            grpc_inference_address=127.0.0.1
            grpc_inference_port=0
            grpc_management_port=0
            model_store={Store}
            load_models=all
            job_queue_size=77
            default_response_timeout=33
            default_startup_timeout=44
            unregister_model_timeout=55
            max_request_size=1048576
            allowed_urls=https://models\\.example\\.com/.*,http://127\\.0\\.0\\.1:9/.*
            cors_allowed_origin=https://app.example.com
            cors_allowed_methods=GET, POST, PUT, OPTIONS
            cors_allowed_headers=X-Custom-Header
            enable_model_api=true
            number_of_netty_threads=4
            """);
        var configuration = Path.Combine(_folder.FullName, "serve.yaml");
        var (code, text) = await Cli.RunAsync("import-config", properties, "--output", configuration);
        Assert.True(code == 0, text);

        _server = await ServerFixture.StartAsync(new ServerOptions
        {
            Models = [],
            Flags = ["--config", configuration],
            FlagsFromConfiguration = ["--model-store", "--inference-address", "--management-address", "--metrics-address", "--grpc-inference-address", "--grpc-management-address"],
        });
        foreach (var model in (string[])["headers", "echo", "failing", "fashion-vit"]) await _server.WaitUntilReadyAsync(model);

        // A later version does not become the default.
        HandlerModels.Write(Store, "headers", "HeaderEchoHandler", version: "2.0");
        await IsAsync("M:POST /models?url=headers/2.0&initial_workers=1", 200, "Model \"headers\" Version: 2.0 registered with 1 initial workers");
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    /// <summary>Copies a model of the project's store into the server's.</summary>
    internal void Copy(string model, string name, string version = "1.0")
    {
        var target = Directory.CreateDirectory(Path.Combine(Store, name, version)).FullName;
        foreach (var file in Directory.GetFiles(Path.Combine(Serve.Tests.EndToEnd.Repository.Root, "model-store", model, "1.0"))) File.Copy(file, Path.Combine(target, Path.GetFileName(file)), overwrite: true);
    }

    /// <summary>Sends a request to the inference listener, or with <c>M:</c> and <c>X:</c> before it to management or metrics.</summary>
    /// <param name="request">Verb and path.</param>
    /// <param name="body">The body; null: none.</param>
    /// <param name="type">Its media type; null: none is named.</param>
    /// <param name="headers">Further headers.</param>
    internal async Task<Answer> AskAsync(string request, string? body = null, string? type = null, params (string Name, string Value)[] headers)
    {
        var (listener, rest) = request.Split(':', 2) switch
        {
            ["M", var after] => (Server.Management, after),
            ["X", var after] => (Server.Metrics, after),
            _ => (Server.Inference, request),
        };
        var verb = rest[..rest.IndexOf(' ', StringComparison.Ordinal)];
        using var message = new HttpRequestMessage(new HttpMethod(verb), listener + rest[(verb.Length + 1)..]);
        if (body is not null)
        {
            message.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
            if (type is not null) message.Content.Headers.TryAddWithoutValidation("Content-Type", type);
        }

        foreach (var (name, value) in headers) message.Headers.TryAddWithoutValidation(name, value);
        return await Server.SendAsync(message);
    }

    /// <summary>Asks, and checks status, sentence (an error's message, a status's text, or else the whole body) and an error's type.</summary>
    internal async Task<Answer> IsAsync(string request, int status, string? text = null, string? error = null, string? body = null, string? type = null)
    {
        var answer = await AskAsync(request, body, type);
        Assert.True(status == (int)answer.Status, $"{request}: {(int)answer.Status} {answer.Text}");
        if (text is not null) Assert.Equal(text, SentenceOf(answer));
        if (error is not null) Assert.Equal((status, error), (answer.Error.Code, answer.Error.Type));
        return answer;
    }

    /// <summary>The JSON of a successful answer.</summary>
    internal async Task<JsonElement> JsonAsync(string request)
    {
        var answer = await AskAsync(request);
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        return answer.Json;
    }

    /// <summary>What <c>headers</c> was given by a request: its parts as <c>name=text</c>, and the headers as JSON.</summary>
    internal async Task<(string Parts, JsonElement Headers)> GivenAsync(string request, string? body = null, string? type = null, params (string Name, string Value)[] headers)
    {
        var answer = await AskAsync(request, body, type, headers);
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        var parts = answer.Json.GetProperty("parts").EnumerateArray().Select(part => $"{part.GetProperty("name").GetString()}={Encoding.UTF8.GetString(part.GetProperty("data").GetBytesFromBase64())}");
        return (string.Join(' ', parts), answer.Json.GetProperty("headers"));
    }

    /// <summary>A version of a model as describe has it.</summary>
    internal async Task<JsonElement> DescribeAsync(string model) => (await JsonAsync($"M:GET /models/{model}"))[0];

    /// <summary>Registers a model for as long as an action takes.</summary>
    internal async Task WithModelAsync(string name, string handler, string settings, Func<Task> action, int workers = 1)
    {
        HandlerModels.Write(Store, name, handler, settings);
        var answer = await AskAsync($"M:POST /models?url={name}/1.0&initial_workers={workers}");
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        try
        {
            await action();
        }
        finally
        {
            await AskAsync($"M:DELETE /models/{name}");
        }
    }

    private static string SentenceOf(Answer answer)
    {
        if (answer.Body.Length == 0 || answer.Body[0] != '{') return answer.Text;
        foreach (var name in (string[])["message", "status"])
        {
            if (answer.Json.TryGetProperty(name, out var sentence) && sentence.ValueKind == JsonValueKind.String) return sentence.GetString()!;
        }

        return answer.Text;
    }
}
