using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.OpenApi;
using Microsoft.OpenApi.Reader;
using Serve.Core.Configuration;
using Serve.Core.Observability;
using Serve.Frontend.Hosting;
using Serve.Management.Authorization;

namespace Serve.Tests.Frontend.Hosting;

/// <summary>What each listener says of itself is valid OpenAPI, and true.</summary>
public sealed partial class OpenApiTests : IAsyncLifetime
{
    private readonly DirectoryInfo _store = Directory.CreateTempSubdirectory("serve-test-");
    private readonly Shutdown _shutdown = new();
    private readonly HttpClient _client = new();
    private ServeHost _host = null!;

    private Listener[] Listeners => ListenersOf(_host);

    private ServerConfiguration Configuration => new()
    {
        InferenceAddress = "http://127.0.0.1:0",
        ManagementAddress = "http://127.0.0.1:0",
        MetricsAddress = "http://127.0.0.1:0",
        GrpcInferenceAddress = "http://127.0.0.1:0",
        GrpcManagementAddress = "http://127.0.0.1:0",
        ModelStore = _store.FullName,
        LoadModels = ["none"],
        WorkerExecutable = Environment.ProcessPath,
    };

    public async ValueTask InitializeAsync() => _host = await StartAsync(Configuration, _shutdown);

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        _client.Dispose();
        _shutdown.Dispose();
        _store.Delete(recursive: true);
    }

    [Fact]
    public async Task Each_listener_answers_valid_OpenAPI_3()
    {
        foreach (var listener in Listeners)
        {
            var text = await DocumentAsync(listener);
            var read = OpenApiDocument.Parse(text, "json", new OpenApiReaderSettings { RuleSet = ValidationRuleSet.GetDefaultRuleSet() });
            Assert.Empty(read.Diagnostic!.Errors);
            Assert.Empty(read.Diagnostic.Warnings);
            Assert.Equal(OpenApiSpecVersion.OpenApi3_0, read.Diagnostic.SpecificationVersion);
            Assert.Equal("TorchServe APIs", read.Document!.Info.Title);
            var ids = read.Document.Paths.Values.SelectMany(path => path.Operations!.Values).Select(operation => operation.OperationId).ToList();
            Assert.Equal(ids.Distinct(), ids);
            Assert.Equal(text, await _client.GetStringAsync($"{listener.Url}/api-description", TestContext.Current.CancellationToken));
        }
    }

    [Fact]
    public async Task Every_route_is_in_the_document_and_the_document_has_no_others()
    {
        foreach (var listener in Listeners)
        {
            var routes = listener.Routes.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>().ToList();
            var mapped = routes.Select(PathOf).Distinct();
            var verbs = routes.SelectMany(route => route.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods.Select(verb => (Path: PathOf(route), Verb: verb)) ?? []);

            var paths = JsonDocument.Parse(await DocumentAsync(listener)).RootElement.GetProperty("paths");
            Assert.Equal(mapped.Order(StringComparer.Ordinal), paths.EnumerateObject().Select(path => path.Name).Order(StringComparer.Ordinal));
            Assert.All(verbs, route => Assert.True(paths.GetProperty(route.Path).TryGetProperty(route.Verb.ToLowerInvariant(), out _), $"{route.Verb} {route.Path}"));
        }
    }

    [Fact]
    public async Task Every_operation_in_the_document_is_answered()
    {
        foreach (var listener in Listeners)
        {
            foreach (var path in JsonDocument.Parse(await DocumentAsync(listener)).RootElement.GetProperty("paths").EnumerateObject())
            {
                foreach (var operation in path.Value.EnumerateObject())
                {
                    using var request = new HttpRequestMessage(new HttpMethod(operation.Name.ToUpperInvariant()), listener.Url + Parameter().Replace(path.Name, "none"));
                    using var answer = await _client.SendAsync(request, TestContext.Current.CancellationToken);
                    var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
                    Assert.False(text.Contains("ResourceNotFoundException", StringComparison.Ordinal), $"{operation.Name} {path.Name}: {text}");
                    Assert.NotEqual(HttpStatusCode.MethodNotAllowed, answer.StatusCode);
                }
            }
        }
    }

    [Fact]
    public async Task Where_tokens_are_on_each_operation_says_whether_it_needs_one()
    {
        using var shutdown = new Shutdown();
        var keyFile = Path.Combine(_store.FullName, "key_file.json");
        await using var guarded = await StartAsync(Configuration with { KeyFile = keyFile, Snapshots = false }, shutdown);
        var tokens = JsonDocument.Parse(await File.ReadAllTextAsync(keyFile, TestContext.Current.CancellationToken)).RootElement;
        foreach (var listener in ListenersOf(guarded))
        {
            var text = await DocumentAsync(listener);
            Assert.Empty(OpenApiDocument.Parse(text, "json", new OpenApiReaderSettings { RuleSet = ValidationRuleSet.GetDefaultRuleSet() }).Diagnostic!.Errors);
            var document = JsonDocument.Parse(text).RootElement;
            Assert.Equal(listener != guarded.Metrics, document.GetProperty("components").TryGetProperty("securitySchemes", out var schemes));
            if (listener == guarded.Metrics) continue;

            Assert.Equal("bearer", schemes.GetProperty("token").GetProperty("scheme").GetString());
            string?[] keys = [.. ((string[])["inference", "management"]).Select(name => tokens.GetProperty(name).GetProperty("key").GetString())];
            var operations = document.GetProperty("paths").EnumerateObject().SelectMany(path => path.Value.EnumerateObject().Select(operation => (Path: path.Name, Verb: operation.Name, operation.Value))).ToList();
            Assert.Contains(operations, operation => operation.Value.TryGetProperty("security", out _));
            Assert.Contains(operations, operation => !operation.Value.TryGetProperty("security", out _));
            foreach (var (path, verb, operation) in operations)
            {
                var isAsked = operation.TryGetProperty("security", out _);
                Assert.Equal(isAsked, operation.GetProperty("responses").TryGetProperty("401", out _));
                Assert.Equal((path, verb, isAsked), (path, verb, await StatusAsync(listener, path, verb, null) == HttpStatusCode.Unauthorized));
                var isManaging = listener != guarded.Inference || ManagingRoutes.Include(path, verb.ToUpperInvariant());
                if (path == "/token") continue;
                Assert.Equal((path, isManaging && isAsked), (path, await StatusAsync(listener, path, verb, keys[0]) == HttpStatusCode.Unauthorized));
                Assert.NotEqual(HttpStatusCode.Unauthorized, await StatusAsync(listener, path, verb, keys[1]));
            }
        }
    }

    [Fact]
    public async Task Other_verbs_of_the_root_are_not_allowed()
    {
        using var answer = await _client.GetAsync(_host.Inference.Url, TestContext.Current.CancellationToken);
        Assert.Equal((HttpStatusCode.MethodNotAllowed, "OPTIONS"), (answer.StatusCode, answer.Content.Headers.Allow.Single()));
        Assert.Contains("MethodNotAllowedException", await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    private async Task<HttpStatusCode> StatusAsync(Listener listener, string path, string verb, string? token)
    {
        using var request = new HttpRequestMessage(new HttpMethod(verb.ToUpperInvariant()), listener.Url + Parameter().Replace(path, "none"));
        if (token is not null) request.Headers.Authorization = new("Bearer", token);
        using var answer = await _client.SendAsync(request, TestContext.Current.CancellationToken);
        return answer.StatusCode;
    }

    private static Listener[] ListenersOf(ServeHost host) => [host.Inference, host.Management, host.Metrics];

    private static Task<ServeHost> StartAsync(ServerConfiguration configuration, Shutdown shutdown) =>
        ServeHost.StartAsync(configuration, NullLoggerFactory.Instance, shutdown, new LogLevelSwitch("information"));

    // By its text, not by the way that the document takes.
    private static string PathOf(RouteEndpoint route) => Parameter().Replace(route.RoutePattern.RawText!, "{$1}").TrimEnd('/') is { Length: > 0 } path ? path : "/";

    private async Task<string> DocumentAsync(Listener listener)
    {
        using var request = new HttpRequestMessage(HttpMethod.Options, listener.Url + "/");
        using var answer = await _client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal("application/json", answer.Content.Headers.ContentType?.MediaType);
        return await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
    }

    [GeneratedRegex(@"\{\**(\w+)\}")]
    private static partial Regex Parameter();
}
