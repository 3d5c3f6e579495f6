using System.Net;
using System.Text;
using Serve.Tests.Worker;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Tests.EndToEnd;

/// <summary>An ONNX file in the store, and nothing else, is a model that is served.</summary>
public sealed class BareModelTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Each_place_of_an_onnx_file_is_served_from_the_start_and_by_registration()
    {
        using var store = new TemporaryFolder();
        Write(store, "file.onnx");
        Write(store, "folder/model.onnx");
        Write(store, "triton/1/model.onnx");
        store.Write("triton/config.pbtxt", "backend: \"onnxruntime\"");
        await using var server = await ServerFixture.StartAsync(new ServerOptions { Models = [], Flags = ["--model-store", store.Path, "--load-models", "all"] }, output);
        (string Url, string Name, string Version)[] models = [("file", "file", "1.0"), ("folder", "folder", "1.0"), ("triton", "triton", "1")];

        foreach (var (url, name, version) in models)
        {
            await server.WaitUntilReadyAsync(name);
            await AssertServedAsync(server, name, version);
            Assert.Equal(HttpStatusCode.OK, (await server.ManageAsync(HttpMethod.Delete, $"/models/{name}/{version}")).Status);
            Assert.Equal(HttpStatusCode.NotFound, (await server.PredictAsync(name, "[1]"u8.ToArray())).Status);

            var answer = await server.RegisterAsync(url);
            Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
            await AssertServedAsync(server, name, version);
        }

        // By its file's name too, and beside the other under another name.
        var named = await server.ManageAsync(HttpMethod.Post, "/models?url=file.onnx&model_name=again&initial_workers=1&synchronous=true");
        Assert.True(named.Status == HttpStatusCode.OK, named.Text);
        await AssertServedAsync(server, "again", "1.0");
    }

    private static async Task AssertServedAsync(ServerFixture server, string name, string version)
    {
        Assert.Equal("[1,2.5]", (await server.PredictAsync(name, Encoding.UTF8.GetBytes("[1, 2.5]"))).Text);
        Assert.Equal(("tensor", version), ((await server.DescribeAsync(name)).Handler, (await server.DescribeAsync(name)).ModelVersion));
    }

    private static void Write(TemporaryFolder store, string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(store[path])!);
        SmallModels.Identity(store[path], DataType.Float, "batch", "n");
    }
}
