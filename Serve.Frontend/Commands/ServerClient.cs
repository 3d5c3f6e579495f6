using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Serve.Core.Configuration;
using Serve.Management.Http;
using Serve.Management.Rest;

namespace Serve.Frontend.Commands;

/// <summary>Talks to a running server. Its errors become a <see cref="CommandException"/> with the server's own message.</summary>
internal sealed class ServerClient(string inferenceAddress, string managementAddress, ClientCredentials credentials) : IDisposable
{
    private const int MostShown = 100;

    // What only asks is answered at once; a server that is stopped accepts connections, and says nothing.
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(10);

    // Of what changes something, waiting is the server's to limit: a synchronous registration takes as long as its startupTimeout allows.
    private readonly HttpClient _http = new(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(5), UseProxy = false, SslOptions = credentials.Tls() }) { Timeout = Timeout.InfiniteTimeSpan };

    public string InferenceAddress { get; } = inferenceAddress;

    public string ManagementAddress { get; } = managementAddress;

    /// <summary>Asks the management API.</summary>
    /// <returns>The JSON answer.</returns>
    public Task<string> ManageAsync(HttpMethod method, string path, CancellationToken cancellation) =>
        SucceedAsync(method, ManagementAddress + path, null, cancellation);

    /// <summary>Names of all registered models.</summary>
    public async Task<IReadOnlyList<string>> ListNamesAsync(CancellationToken cancellation)
    {
        var names = new List<string>();
        string? token = null;
        do
        {
            var page = await ManageAsync(HttpMethod.Get, $"/models?limit=100{(token is null ? "" : $"&next_page_token={token}")}", cancellation);
            var list = Read(page, ManagementJson.Default.ModelList, ManagementAddress);
            names.AddRange(list.Models.Select(model => model.ModelName));
            token = list.NextPageToken;
        }
        while (token is not null);
        return names;
    }

    /// <summary>All versions of a model.</summary>
    public async Task<(string Json, IReadOnlyList<VersionBody> Versions)> DescribeAsync(string model, string? version, CancellationToken cancellation)
    {
        var json = await ManageAsync(HttpMethod.Get, $"/models/{Uri.EscapeDataString(model)}/{Uri.EscapeDataString(version ?? "all")}", cancellation);
        return (json, Read(json, ManagementJson.Default.ListVersionBody, ManagementAddress));
    }

    /// <summary>The server's health; the answer's text and whether it is one of a server that serves.</summary>
    public Task<(string Status, bool Serves)> PingAsync(CancellationToken cancellation) => ProbeAsync("/ping", cancellation);

    /// <summary>What one of the inference listener's health routes answers: its text, and whether that is yes.</summary>
    public async Task<(string Status, bool Yes)> ProbeAsync(string path, CancellationToken cancellation)
    {
        var (status, body) = await SendAsync(HttpMethod.Get, InferenceAddress + path, null, cancellation);
        if (status == 401) throw Refused(status, body);
        if (status != 200 && ErrorOf(body) is { } said) return (said, false);
        return (Read(body, HttpJson.Default.StatusBody, InferenceAddress).Status, status == 200);
    }

    /// <summary>Asks a model.</summary>
    /// <returns>The answer's bytes, and its media type, if it says one.</returns>
    public Task<(byte[] Answer, string? MediaType)> PredictAsync(string model, string? version, Stream body, CancellationToken cancellation)
    {
        var path = version is null ? $"/predictions/{Uri.EscapeDataString(model)}" : $"/predictions/{Uri.EscapeDataString(model)}/{Uri.EscapeDataString(version)}";
        var content = new StreamContent(body);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        var url = InferenceAddress + path;
        return ReachAsync(url, async () =>
        {
            using var answer = await AnswerAsync(HttpMethod.Post, url, content, cancellation);
            return answer.IsSuccessStatusCode ? (await answer.Content.ReadAsByteArrayAsync(cancellation), answer.Content.Headers.ContentType?.MediaType) : throw Refused((int)answer.StatusCode, await TextAsync(answer, cancellation));
        }, cancellation);
    }

    /// <summary>The management API's answer to a GET that goes on, as soon as it begins; dispose it.</summary>
    /// <param name="path">The path.</param>
    /// <param name="accept">The media type that is asked for.</param>
    /// <param name="cancellation">Ends it.</param>
    public async Task<HttpResponseMessage> OpenAsync(string path, string accept, CancellationToken cancellation)
    {
        var url = ManagementAddress + path;
        return await ReachAsync(url, async () =>
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            patience.CancelAfter(Silence);
            using var request = Request(HttpMethod.Get, url, null);
            request.Headers.Accept.ParseAdd(accept);
            var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token);
            if (response.IsSuccessStatusCode && response.Content.Headers.ContentType?.MediaType == accept) return response;
            using (response) throw response.IsSuccessStatusCode ? NotServe(ManagementAddress, $"its answer is {response.Content.Headers.ContentType?.MediaType ?? "of no type"}") : Refused((int)response.StatusCode, await response.Content.ReadAsStringAsync(cancellation));
        }, cancellation);
    }

    /// <summary>Reads an answer.</summary>
    /// <param name="body">Its body.</param>
    /// <param name="type">What it should be.</param>
    /// <param name="address">Who answered.</param>
    /// <exception cref="CommandException">It is none of Serve's.</exception>
    public static T Read<T>(string body, JsonTypeInfo<T> type, string address)
    {
        try
        {
            if (JsonSerializer.Deserialize(body, type) is { } read) return read;
        }
        catch (JsonException)
        {
            // A proxy's page, for example.
        }

        var line = body.AsSpan().TrimStart();
        line = line[..Math.Min(MostShown, line.IndexOfAny('\r', '\n') is >= 0 and var end ? end : line.Length)];
        throw NotServe(address, line.IsEmpty ? "its answer is empty" : $"its answer begins with {line}");
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task<string> SucceedAsync(HttpMethod method, string url, HttpContent? content, CancellationToken cancellation)
    {
        var (status, body) = await SendAsync(method, url, content, cancellation);
        return status < 400 ? body : throw Refused(status, body);
    }

    private Task<(int Status, string Body)> SendAsync(HttpMethod method, string url, HttpContent? content, CancellationToken cancellation) => ReachAsync(url, async () =>
    {
        using var answer = await AnswerAsync(method, url, content, cancellation);
        return ((int)answer.StatusCode, await TextAsync(answer, cancellation));
    }, cancellation);

    // With its body.
    private async Task<HttpResponseMessage> AnswerAsync(HttpMethod method, string url, HttpContent? content, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        if (method == HttpMethod.Get) patience.CancelAfter(Silence);
        using var request = Request(method, url, content);
        return await _http.SendAsync(request, patience.Token);
    }

    // Serve's texts are UTF-8, whatever a handler calls them.
    private static async Task<string> TextAsync(HttpResponseMessage answer, CancellationToken cancellation) => Encoding.UTF8.GetString(await answer.Content.ReadAsByteArrayAsync(cancellation));

    private HttpRequestMessage Request(HttpMethod method, string url, HttpContent? content)
    {
        var request = new HttpRequestMessage(method, url) { Content = content };
        if (credentials.Token is { } token && !request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token}")) throw new CommandException(ExitCode.Usage, "The token has letters that an HTTP header cannot carry.");
        return request;
    }

    private static async Task<T> ReachAsync<T>(string url, Func<Task<T>> ask, CancellationToken cancellation)
    {
        try
        {
            return await ask();
        }
        catch (HttpRequestException e)
        {
            var address = new Uri(url).GetLeftPart(UriPartial.Authority);
            if (e.InnerException is AuthenticationException untrusted)
            {
                throw new CommandException(ExitCode.Unreachable, $"""
                    No secure connection to {address}: {untrusted.Message}
                    Give --ca-cert with the certificate of its authority, or with its own; and --cert where it asks for one.
                    """);
            }

            var why = e.InnerException is SocketException socket ? socket.Message : e.Message;
            throw new CommandException(ExitCode.Unreachable, $"""
                No server answers at {address}: {why}.
                Start one with: serve start --config configs/serve.yaml
                or say where it is with --management-address and --inference-address.
                """);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new CommandException(ExitCode.Unreachable, $"No server answers at {url} in time.");
        }
    }

    private static CommandException NotServe(string address, string why) => new(ExitCode.Unreachable, $"""
        Something that is not Serve answers at {address}: {why}.
        Say where the server is with --management-address and --inference-address.
        """);

    private static CommandException Refused(int status, string body) =>
        new(ExitCode.Failed, MessageOf(status, body) + (status == 401 ? $" Set {EnvironmentNames.ClientToken}, or give --token." : ""));

    private static string MessageOf(int status, string body) => ErrorOf(body) ?? $"The server answered {status}: {body.Trim()}";

    // Null: it is not Serve that answers there.
    private static string? ErrorOf(string body)
    {
        try
        {
            return JsonSerializer.Deserialize(body, HttpJson.Default.ErrorBody)?.Message;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
