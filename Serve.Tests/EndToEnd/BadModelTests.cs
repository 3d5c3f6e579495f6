using System.Net;
using Serve.Core.Models;
using Serve.Tests.Worker;

namespace Serve.Tests.EndToEnd;

/// <summary>Models that cannot be served: a clear error, nothing left behind, and the others serve on.</summary>
public sealed class BadModelTests : IClassFixture<HandlerServer>
{
    private readonly ServerFixture _server;
    private readonly ITestOutputHelper _output;

    public BadModelTests(HandlerServer server, ITestOutputHelper output)
    {
        _server = server.Server;
        _output = output;
        _server.ShowLogs(output);
    }

    /// <summary>What is wrong, the status, and a word of the message that names it.</summary>
    public static TheoryData<string, int, string> Faults => new()
    {
        { "broken-onnx", 500, "ONNX Runtime cannot load model.onnx: " },
        { "missing-labels", 400, "labels.json" },
        { "wrong-key", 400, "model-config.yaml" },
        { "throws-in-constructor", 500, "the constructor of Serve.Tests.Handlers.ThrowsInConstructorHandler threw InvalidOperationException: The licence has expired." },
        { "throws-in-load", 500, "failed to load with InvalidOperationException: The database is not there." },
        { "lacks-memory", 507, "The memory does not suffice for handler 'Serve.Tests.Handlers.dll:Serve.Tests.Handlers.HungryHandler' to load: " },
        { "missing-type", 500, "the assembly has no type Serve.Tests.Handlers.Missing; its handlers are " },
        { "no-assembly", 500, "Text.dll is not a .NET assembly that this worker" },
        { "empty", 400, "is no model: there is neither model-config.yaml, nor an *.onnx file" },
        { "pytorch", 400, "model.pt holds PyTorch weights." },
        { "nowhere", 404, "Model not found at: nowhere" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_model_that_cannot_be_served_is_refused_with_the_reason_and_leaves_nothing(string fault, int status, string reason)
    {
        Write(_server.ModelStore, fault);

        var answer = await _server.RegisterAsync(fault);

        Assert.Equal(status, (int)answer.Status);
        Assert.Equal(status, answer.Error.Code);
        Assert.Contains(reason, answer.Error.Message, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, (await _server.ManageAsync(HttpMethod.Get, $"/models/{fault}")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await _server.PredictAsync(fault, [1])).Status);
        Assert.DoesNotContain($"model=\"{fault}\"", await _server.ScrapeAsync(), StringComparison.Ordinal);
        Assert.Empty(Processes.ChildrenOf(_server.Pid));
        Assert.DoesNotContain(Directory.GetFileSystemEntries(_server.RuntimeFolder), entry => !Path.GetFileName(entry).StartsWith("server-", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_server_starts_with_the_models_that_can_be_served()
    {
        using var store = new TemporaryFolder();
        string[] faults = [.. Faults.Select(row => row.Data.Item1).Where(name => name != "nowhere")];
        foreach (var fault in faults) Write(store.Path, fault);
        HandlerModels.Write(store.Path, "good", "EchoHandler");
        await using var server = await ServerFixture.StartAsync(
            new ServerOptions { Models = [.. faults.Append("good").Select(name => store[name])], WaitUntilReady = false, Flags = ["--log-level", "information"] }, _output);
        Directory.CreateDirectory(Path.Combine(server.ModelStore, "empty"));
        await server.WaitUntilReadyAsync("good");

        Assert.Equal("hello", (await server.PredictAsync("good", "hello"u8.ToArray())).Text);
        await server.WaitForLogAsync(line => line.Contains("missing-labels/1.0 is not served: ", StringComparison.Ordinal) && line.Contains("labels.json", StringComparison.Ordinal));
        await server.WaitForLogAsync(line => line.Contains("wrong-key/1.0 is not served: ", StringComparison.Ordinal) && line.Contains("batchsize", StringComparison.Ordinal));
        await server.WaitForLogAsync(line => line.Contains("pytorch", StringComparison.Ordinal) && line.Contains("model.pt holds PyTorch weights", StringComparison.Ordinal));

        foreach (var (name, reason) in ((string, string)[])[("broken-onnx", "ONNX Runtime cannot load model.onnx"), ("throws-in-load", "The database is not there.")])
        {
            await AssertFailedAsync(server, name, reason);
        }
    }

    // It says why wherever somebody may look, and does not start again and again.
    private static async Task AssertFailedAsync(ServerFixture server, string name, string reason)
    {
        await server.WaitForLogAsync(line => line.Contains($"{name}/1.0: the model has failed: ", StringComparison.Ordinal) && line.Contains(reason, StringComparison.Ordinal));
        var version = await server.DescribeAsync(name);
        Assert.Equal(ModelState.Failed, version.State);
        Assert.Contains(reason, version.Reason, StringComparison.Ordinal);
        Assert.Equal(1, await server.MetricAsync($"serve_model_state{{model=\"{name}\",version=\"1.0\",state=\"failed\"}}"));
        Assert.Equal(1, await server.MetricAsync($"serve_worker_starts_total{{model=\"{name}\",version=\"1.0\"}}"));
        Assert.Equal(1, await server.MetricAsync($"serve_worker_deaths_total{{model=\"{name}\",version=\"1.0\",reason=\"load_failed\"}}"));

        var refused = await server.PredictAsync(name, [1]);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.Status);
        Assert.Contains(reason, refused.Error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_failed_model_that_was_mended_serves_after_scaling()
    {
        using var store = new TemporaryFolder();
        var folder = HandlerModels.Write(store.Path, "mended", "EchoHandler");
        var assembly = Path.Combine(folder, "Serve.Tests.Handlers.dll");
        var whole = File.ReadAllBytes(assembly);
        File.WriteAllText(assembly, "not an assembly");
        await using var server = await ServerFixture.StartAsync(new ServerOptions { Models = [store["mended"]], WaitUntilReady = false }, _output);
        await server.WaitForLogAsync(line => line.Contains("mended/1.0: the model has failed: ", StringComparison.Ordinal));
        var again = await server.ManageAsync(HttpMethod.Put, "/models/mended?min_worker=1&synchronous=true");
        Assert.Equal(HttpStatusCode.InternalServerError, again.Status);
        Assert.Contains("is not a .NET assembly", again.Error.Message, StringComparison.Ordinal);

        File.WriteAllBytes(Path.Combine(server.ModelStore, "mended", "1.0", "Serve.Tests.Handlers.dll"), whole);
        await server.ScaleAsync("mended", 1);

        Assert.Equal("back", (await server.PredictAsync("mended", "back"u8.ToArray())).Text);
        Assert.Null((await server.DescribeAsync("mended")).Reason);
    }

    private static void Write(string store, string fault)
    {
        var folder = fault switch
        {
            "nowhere" => "",
            "throws-in-constructor" => HandlerModels.Write(store, fault, "ThrowsInConstructorHandler"),
            "throws-in-load" => HandlerModels.Write(store, fault, "ThrowsInLoadHandler"),
            "lacks-memory" => HandlerModels.Write(store, fault, "HungryHandler", "maxRetries: 1"),
            "missing-type" => HandlerModels.Write(store, fault, "Missing"),
            "wrong-key" => HandlerModels.Write(store, fault, "EchoHandler", "batchsize: 4"),
            _ => Directory.CreateDirectory(Path.Combine(store, fault, "1.0")).FullName,
        };
        switch (fault)
        {
            case "broken-onnx":
                var model = File.ReadAllBytes(Path.Combine(FashionData.ModelFolder, "model.onnx"));
                File.WriteAllBytes(Path.Combine(folder, "model.onnx"), model[..(model.Length / 2)]);
                File.WriteAllText(Path.Combine(folder, "model-config.yaml"), "handler: tensor\n");
                break;
            case "missing-labels":
                File.Copy(Path.Combine(FashionData.ModelFolder, "model.onnx"), Path.Combine(folder, "model.onnx"));
                File.WriteAllText(Path.Combine(folder, "model-config.yaml"), "handler: image_classifier\nlabelFile: labels.json\n");
                break;
            case "no-assembly":
                File.WriteAllText(Path.Combine(folder, "Text.dll"), "not an assembly");
                File.WriteAllText(Path.Combine(folder, "model-config.yaml"), "handler: Text.dll:A.B\n");
                break;
            case "pytorch":
                File.WriteAllText(Path.Combine(folder, "model.pt"), "weights");
                File.WriteAllText(Path.Combine(folder, "model-config.yaml"), "handler: image_classifier\n");
                break;
        }
    }
}
