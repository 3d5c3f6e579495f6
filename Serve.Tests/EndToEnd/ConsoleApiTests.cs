using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.Json;
using Serve.Management.Rest;
using Serve.Management.Store;

namespace Serve.Tests.EndToEnd;

/// <summary>What the management listener has for the web console, beside TorchServe's API.</summary>
public sealed class ConsoleApiTests : IClassFixture<HandlerServer>
{
    private readonly ServerFixture _server;

    public ConsoleApiTests(HandlerServer server, ITestOutputHelper output)
    {
        _server = server.Server;
        _server.ShowLogs(output);
    }

    [Fact]
    public async Task A_model_can_be_tried_on_the_management_listener()
    {
        await _server.ServeAsync("tried", "EchoHandler");
        const string path = "/console/predictions/tried";

        Assert.Equal("raw", (await PostAsync(path, new StringContent("raw"))).Text);
        var version = await PostAsync(path + "/1.0", new MultipartFormDataContent { { new StringContent("part"), "data" } });
        Assert.Equal((HttpStatusCode.OK, "part"), (version.Status, version.Text));
        Assert.Equal((HttpStatusCode.NotFound, "ModelVersionNotFoundException"), await ErrorAsync(path + "/9.9"));
        Assert.Equal((HttpStatusCode.NotFound, "ModelNotFoundException"), await ErrorAsync("/console/predictions/none"));
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await _server.ManageAsync(HttpMethod.Put, path)).Status);
        Assert.Equal(2, await _server.MetricAsync("""serve_requests_total{model="tried",version="1.0",code="200"}"""));

        async Task<(HttpStatusCode, string)> ErrorAsync(string wrong)
        {
            var answer = await PostAsync(wrong, new StringContent("x"));
            return (answer.Status, answer.Error.Type);
        }
    }

    [Fact]
    public async Task Only_a_request_that_asks_is_told_where_its_time_went()
    {
        await _server.ServeAsync("timed", "EchoHandler");
        var told = await _server.PredictAsync("timed", [1], headers: ("x-serve-timings", "true"));
        Assert.Matches("""^read;dur=[\d.]+, queue;dur=[\d.]+, transfer;dur=[\d.]+, decode_wait;dur=[\d.]+, decode;dur=[\d.]+, assemble;dur=[\d.]+, execute;dur=[\d.]+, encode;dur=[\d.]+, total;dur=[\d.]+, batch;desc="1"$""", told.Headers["Server-Timing"]);
        Assert.False((await _server.PredictAsync("timed", [1])).Headers.ContainsKey("Server-Timing"));
        Assert.False((await _server.PredictAsync("timed", [1], headers: ("x-serve-timings", "false"))).Headers.ContainsKey("Server-Timing"));

        var wrong = await _server.PredictAsync("timed", [1], headers: ("x-serve-timings", "perhaps"));
        Assert.Equal((HttpStatusCode.BadRequest, "Header x-serve-timings must be true or false, not \"perhaps\"."), (wrong.Status, wrong.Error.Message));
    }

    [Fact]
    public async Task An_archive_is_uploaded_found_registered_and_served()
    {
        var archive = Packed(("model-config.yaml", "handler: tensor\nexecution:\n  providers: [cpu]\n"), ("model.onnx", null));
        var uploaded = await PutAsync("uploaded.mar", archive);
        Assert.True(uploaded.Status == HttpStatusCode.Created, uploaded.Text);
        var body = JsonSerializer.Deserialize(uploaded.Body, StoreJson.Default.ArchiveBody)!;
        Assert.Equal(("uploaded.mar", "uploaded", "1.0", "archive", archive.LongLength), (body.Url, body.ModelName, body.ModelVersion, body.Kind, body.Size));
        Assert.Contains("uploaded.mar", await StoreAsync());

        var again = await PutAsync("uploaded.mar", archive);
        Assert.Equal((HttpStatusCode.Conflict, "The model store has a uploaded.mar already."), (again.Status, again.Error.Message));

        var registered = await _server.RegisterAsync("uploaded.mar");
        Assert.True(registered.Status == HttpStatusCode.OK, registered.Text);
        Assert.DoesNotContain("uploaded.mar", await StoreAsync());
    }

    [Theory]
    [InlineData("x.zip", "body", 400, "must end in .mar, .tar.gz, .tgz or .onnx")]
    [InlineData("..%2Fx.mar", "body", 400, "begins with a dot")]
    [InlineData("a%2F..%2Fx.mar", "body", 400, "has characters other than")]
    [InlineData("x%20y.mar", "body", 400, "has characters other than")]
    [InlineData("empty.mar", "", 400, "The request has no body")]
    [InlineData("broken.mar", "no zip", 400, "The archive broken.mar cannot be used")]
    public async Task An_upload_that_is_wrong_is_refused(string name, string body, int status, string message)
    {
        var answer = await PutAsync(name, Encoding.ASCII.GetBytes(body));
        Assert.Equal(status, (int)answer.Status);
        Assert.Contains(message, answer.Error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_program_is_not_taken_from_just_anybody_on_this_machine()
    {
        var refused = await PutAsync("program.mar", Packed(("model-config.yaml", "handler: A.dll:A.B\n"), ("A.dll", "MZ")));
        Assert.Equal((HttpStatusCode.Forbidden, "ForbiddenException"), (refused.Status, refused.Error.Type));
        Assert.False(File.Exists(Path.Combine(_server.ModelStore, "program.mar")));
    }

    [Fact]
    public async Task A_client_that_leaves_in_the_middle_leaves_nothing()
    {
        using (var client = await RawClient.ConnectAsync(_server.Management))
        {
            await client.SendAsync("PUT /archives/left.mar HTTP/1.1\r\nHost: serve\r\nContent-Length: 100000\r\n\r\nhalf of it"u8.ToArray());
            await Eventually.HoldsAsync("the upload has begun", () => Uploading().Length == 1);
        }

        await Eventually.HoldsAsync("nothing of it stays", () => Uploading().Length == 0);
        Assert.False(File.Exists(Path.Combine(_server.ModelStore, "left.mar")));

        string[] Uploading() => Directory.GetFiles(_server.ModelStore, ".upload-*");
    }

    [Fact]
    public async Task The_last_lines_of_workers_are_shown_also_of_the_one_that_died()
    {
        await _server.ServeAsync("telling", "EchoHandler");
        var pid = (await _server.WorkerPidsAsync("telling")).Single();
        var alive = await Eventually.BecomesAsync("the worker's lines are there", () => LogAsync("telling/1.0/workers/log"), log => log.Workers.Single().Lines.Any(line => line.Text.Contains("Ready: telling 1.0", StringComparison.Ordinal)));
        Assert.Equal((pid, null), (alive.Workers.Single().Pid, alive.LastLost));

        Signals.Kill(pid);
        var dead = await Eventually.BecomesAsync("the dead worker's lines are kept", () => LogAsync("telling/1.0/workers/log?lines=1"), log => log.LastLost is not null);
        Assert.Equal((pid, "it was killed (signal 9)", 1), (dead.LastLost!.Pid, dead.LastLost.Reason, dead.LastLost.Lines.Count));
        Assert.Equal((HttpStatusCode.BadRequest, HttpStatusCode.NotFound), (await StatusAsync("telling/1.0/workers/log?lines=0"), await StatusAsync("telling/2.0/workers/log")));

        async Task<HttpStatusCode> StatusAsync(string path) => (await _server.ManageAsync(HttpMethod.Get, "/models/" + path)).Status;
        async Task<WorkerLogBody> LogAsync(string path) => JsonSerializer.Deserialize((await _server.ManageAsync(HttpMethod.Get, "/models/" + path)).Body, ManagementJson.Default.WorkerLogBody)!;
    }

    private async Task<IEnumerable<string>> StoreAsync() =>
        JsonSerializer.Deserialize((await _server.ManageAsync(HttpMethod.Get, "/archives")).Body, StoreJson.Default.ArchiveList)!.Archives.Select(archive => archive.Url);

    private Task<Answer> PutAsync(string name, byte[] body) => _server.ManageAsync(HttpMethod.Put, "/archives/" + name, new ByteArrayContent(body));

    // Without a text: the model of the project's store.
    private static byte[] Packed(params (string Name, string? Text)[] files)
    {
        using var bytes = new MemoryStream();
        using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var (name, text) in files)
            {
                using var entry = zip.CreateEntry(name).Open();
                entry.Write(text is null ? File.ReadAllBytes(Path.Combine(Repository.Root, "model-store", "fashion-vit", "1.0", "model.onnx")) : Encoding.UTF8.GetBytes(text));
            }
        }

        return bytes.ToArray();
    }

    private Task<Answer> PostAsync(string path, HttpContent content) => _server.ManageAsync(HttpMethod.Post, path, content);
}
