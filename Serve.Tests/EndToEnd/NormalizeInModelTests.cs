using System.Net;
using Serve.Tests.Worker;

namespace Serve.Tests.EndToEnd;

/// <summary><c>normalizeInModel</c> beside the same model without it.</summary>
public sealed class NormalizeInModelTests : IClassFixture<ServerFixture>
{
    private readonly ServerFixture _server;

    public NormalizeInModelTests(ServerFixture server, ITestOutputHelper output)
    {
        _server = server;
        server.ShowLogs(output);
    }

    [Fact]
    public async Task The_answers_are_the_same()
    {
        _server.CopyModel("fashion-vit", "bytes");
        Configure("bytes", "preprocessing:\n", "preprocessing:\n  normalizeInModel: true\n");
        var registered = await _server.ManageAsync(HttpMethod.Post, "/models?url=bytes&initial_workers=1&synchronous=true");
        Assert.True(registered.Status == HttpStatusCode.OK, registered.Text);

        var photo = await File.ReadAllBytesAsync(Path.Combine(AppContext.BaseDirectory, "Data", "images", "photos", "coffee.jpg"), TestContext.Current.CancellationToken);
        foreach (var picture in Enumerable.Range(0, 20).Select(FashionData.Picture).Append(photo))
        {
            var floats = (await _server.PredictAsync("fashion-vit", picture)).Json.EnumerateObject().ToDictionary(label => label.Name, label => label.Value.GetDouble());
            var bytes = (await _server.PredictAsync("bytes", picture)).Json.EnumerateObject().ToDictionary(label => label.Name, label => label.Value.GetDouble());

            Assert.Equal(floats.Keys.First(), bytes.Keys.First());
            foreach (var (label, probability) in floats.Where(label => bytes.ContainsKey(label.Key))) Assert.Equal(probability, bytes[label], 1e-4);
        }
    }

    [Fact]
    public async Task A_handler_that_makes_its_own_tensors_is_refused_in_words()
    {
        _server.CopyModel("fashion-vit", "numbers");
        Configure("numbers", "handler: image_classifier", "handler: tensor");
        Configure("numbers", "preprocessing:\n", "preprocessing:\n  normalizeInModel: true\n");

        var registered = await _server.ManageAsync(HttpMethod.Post, "/models?url=numbers&initial_workers=1&synchronous=true");

        Assert.NotEqual(HttpStatusCode.OK, registered.Status);
        Assert.Contains("preprocessing.normalizeInModel is for the handlers image_classifier and image_embedder", registered.Text, StringComparison.Ordinal);
    }

    private void Configure(string model, string from, string to)
    {
        var file = Directory.GetFiles(Path.Combine(_server.ModelStore, model), "model-config.yaml", SearchOption.AllDirectories).Single();
        File.WriteAllText(file, File.ReadAllText(file).Replace(from, to, StringComparison.Ordinal));
    }
}
