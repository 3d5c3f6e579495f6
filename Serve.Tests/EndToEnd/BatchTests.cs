using System.Net;
using System.Text;
using Serve.Core.Onnx;
using Serve.Tests.Worker;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Tests.EndToEnd;

/// <summary>Requests that share a batch, and models that do not batch.</summary>
public sealed class BatchTests : IClassFixture<ServerFixture>
{
    private readonly ServerFixture _server;

    public BatchTests(ServerFixture server, ITestOutputHelper output)
    {
        _server = server;
        server.ShowLogs(output);
    }

    [Fact]
    public async Task Of_a_batch_of_pictures_only_the_bad_one_fails()
    {
        var expected = new string[20];
        for (var i = 0; i < expected.Length; i++) expected[i] = (await _server.PredictAsync("fashion-vit", FashionData.Picture(i))).Text;

        var answers = await Task.WhenAll(Enumerable.Range(0, expected.Length).Select(i =>
            _server.PredictAsync("fashion-vit", i % 5 == 2 ? FashionData.Picture(i)[..^20] : FashionData.Picture(i))));

        for (var i = 0; i < answers.Length; i++)
        {
            if (i % 5 == 2) Assert.Equal((HttpStatusCode.BadRequest, "BadRequestException"), (answers[i].Status, answers[i].Error.Type));
            else Assert.Equal(TopLabel(expected[i]), TopLabel(answers[i].Text));
        }
    }

    [Fact]
    public async Task Each_request_of_a_handlers_batch_fails_alone()
    {
        await _server.ServeAsync("failing", "FailingHandler", "batchSize: 16\nbatching: delayed\nmaxBatchDelay: 1h");
        string[] bodies = ["one", "bad", "broken", "teapot", "two", "three", "bad", "four", "one", "bad", "broken", "teapot", "two", "three", "bad", "four"];

        var answers = await Task.WhenAll(bodies.Select(body => _server.PredictAsync("failing", Encoding.ASCII.GetBytes(body))));

        Assert.Equal(1, await _server.MetricAsync("serve_batch_size_count{model=\"failing\",version=\"1.0\"}"));
        for (var i = 0; i < bodies.Length; i++)
        {
            var (status, text) = bodies[i] switch
            {
                "bad" => (400, "The body is bad."),
                "broken" => (500, "The handler failed with InvalidOperationException: Something broke."),
                "teapot" => (418, "I am a teapot."),
                var body => (200, body),
            };
            Assert.Equal(status, (int)answers[i].Status);
            Assert.Equal(text, status is 400 or 500 ? answers[i].Error.Message : answers[i].Text);
        }
    }

    [Fact]
    public async Task A_model_with_a_fixed_batch_of_one_serves_rows_one_by_one_and_says_so()
    {
        var folder = Directory.CreateDirectory(Path.Combine(_server.ModelStore, "negate", "1.0")).FullName;
        var graph = new OnnxGraphBuilder("negate", "weights.bin");
        graph.Output(graph.Node("y", "Neg", [graph.Input("x", DataType.Float, 1, 3)]), DataType.Float, 1, 3);
        OnnxModelWriter.Write(graph.Build(new OnnxModelHeader(17, 8, "test", "")), new NoWeights(), folder, "model.onnx", written: null, TestContext.Current.CancellationToken);
        File.WriteAllText(Path.Combine(folder, "model-config.yaml"), "handler: tensor\nbatchSize: 8\n");
        var registered = await _server.RegisterAsync("negate");
        Assert.True(registered.Status == HttpStatusCode.OK, registered.Text);

        var answers = await Task.WhenAll(Enumerable.Range(1, 16).Select(i => _server.PredictAsync("negate", Encoding.ASCII.GetBytes($"[{i}, 2, 3]"))));

        for (var i = 0; i < answers.Length; i++)
        {
            Assert.True(answers[i].Status == HttpStatusCode.OK, answers[i].Text);
            Assert.Contains($"-{i + 1}", answers[i].Text, StringComparison.Ordinal);
        }

        Assert.Contains((await _server.DescribeAsync("negate")).Notes!, note => note.Contains("fixed batch of one", StringComparison.Ordinal));
    }

    [Fact]
    public async Task With_buckets_answers_are_right_and_metrics_tell_rows_from_padding()
    {
        var folder = Directory.CreateDirectory(Path.Combine(_server.ModelStore, "padded", "1.0")).FullName;
        SmallModels.Identity(Path.Combine(folder, "model.onnx"), DataType.Float, "batch", 2);
        File.WriteAllText(Path.Combine(folder, "model-config.yaml"), "handler: tensor\nbatchSize: 8\ninstances: 1\nexecution: {buckets: [1, 4, 8]}\n");
        var registered = await _server.RegisterAsync("padded");
        Assert.True(registered.Status == HttpStatusCode.OK, registered.Text);
        const string Labels = "{model=\"padded\",version=\"1.0\"}";

        // Requests of several rows, alone: executed as 1, 4, 8 and 8.
        foreach (var rows in new[] { 1, 3, 5, 8 })
        {
            var body = rows == 1 ? "[1,2]" : $"[{string.Join(',', Enumerable.Range(1, rows).Select(i => $"[{i},{-i}]"))}]";
            Assert.Equal(body, (await _server.PredictAsync("padded", Encoding.ASCII.GetBytes(body))).Text);
        }

        // Workers tell of rows and padding once a second.
        Assert.Equal(4, await _server.MetricAsync("serve_batch_size_count" + Labels));
        var labels = $"{{model=\"padded\",version=\"1.0\",worker=\"{(await _server.DescribeAsync("padded")).Workers[0].Id}\"}}";
        Assert.Equal(17, await Eventually.BecomesAsync("all rows are told", () => _server.MetricAsync("serve_worker_rows_total" + labels), rows => rows >= 17));
        Assert.Equal(4, await _server.MetricAsync("serve_worker_padded_rows_total" + labels));

        var answers = await Task.WhenAll(Enumerable.Range(1, 50).Select(i => _server.PredictAsync("padded", Encoding.ASCII.GetBytes($"[{i},{-i}]"))));
        for (var i = 0; i < answers.Length; i++) Assert.Equal($"[{i + 1},{-i - 1}]", answers[i].Text);
        Assert.Equal(54, await _server.MetricAsync("serve_batch_size_sum" + Labels));
    }

    [Fact]
    public async Task The_example_handler_of_the_documentation_serves()
    {
        HandlerModel.CopyExample(Directory.CreateDirectory(Path.Combine(_server.ModelStore, "example", "1.0")).FullName);
        var registered = await _server.RegisterAsync("example");
        Assert.True(registered.Status == HttpStatusCode.OK, registered.Text);

        var answer = await _server.PredictAsync("example", "Is anybody there?"u8.ToArray(), null, ("User-Agent", "curl/8.0"));
        Assert.Equal("""{"greeting":"Good day","echo":"Is anybody there?","from":"curl/8.0"}""", answer.Text);
        Assert.Equal(HttpStatusCode.BadRequest, (await _server.PredictAsync("example", [])).Status);
    }

    private static string TopLabel(string text) => text.Split('"')[1];

    private sealed class NoWeights : IWeightSource
    {
        public void Fill(OnnxWeight weight, long firstElement, Span<float> destination) => destination.Clear();
    }
}
