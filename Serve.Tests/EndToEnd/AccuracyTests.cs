using System.Collections.Concurrent;
using System.Net;
using Serve.Tests.Worker;

namespace Serve.Tests.EndToEnd;

/// <summary>The bundled model over REST, against what PyTorch said of the same thousand pictures.</summary>
public sealed class AccuracyTests : IClassFixture<ServerFixture>
{
    private const int Pictures = 1000;
    private const int Clients = 32;

    private readonly ServerFixture _server;

    public AccuracyTests(ServerFixture server, ITestOutputHelper output)
    {
        _server = server;
        server.ShowLogs(output);
    }

    [Fact]
    public async Task A_thousand_pictures_from_many_clients_get_the_references_labels()
    {
        var logits = FashionData.ReferenceLogits();
        var labels = ReadLabels();
        var faults = new ConcurrentBag<string>();
        await Parallel.ForAsync(0, Pictures, new ParallelOptions { MaxDegreeOfParallelism = Clients }, async (index, _) =>
        {
            var answer = await _server.PredictAsync("fashion-vit", FashionData.Picture(index));
            if (Fault(answer, Softmax(logits.AsSpan(index * labels.Length, labels.Length)), labels) is { } fault) faults.Add($"{index}: {fault}");
        });

        Assert.Empty(faults);
        const string Labels = "model=\"fashion-vit\",version=\"1.0\"";
        Assert.Equal(Pictures, await _server.MetricAsync($"serve_batch_size_sum{{{Labels}}}"));
        Assert.True(await _server.MetricAsync($"serve_batch_size_count{{{Labels}}}") < Pictures, "No two pictures ever shared a batch.");
    }

    private static string? Fault(Answer answer, double[] expected, string[] labels)
    {
        if (answer.Status != HttpStatusCode.OK) return $"{(int)answer.Status} {answer.Text}";
        var given = answer.Json.EnumerateObject().ToList();
        var best = Array.IndexOf(expected, expected.Max());
        if (given[0].Name != labels[best]) return $"{given[0].Name} instead of {labels[best]}";
        foreach (var label in given)
        {
            var wanted = expected[Array.IndexOf(labels, label.Name)];
            if (Math.Abs(label.Value.GetDouble() - wanted) > 1e-3) return $"{label.Name}: {label.Value} instead of {wanted}";
        }

        return null;
    }

    private static double[] Softmax(ReadOnlySpan<float> logits)
    {
        var powers = new double[logits.Length];
        for (var i = 0; i < powers.Length; i++) powers[i] = Math.Exp(logits[i]);
        var sum = powers.Sum();
        return [.. powers.Select(power => power / sum)];
    }

    private static string[] ReadLabels()
    {
        var file = File.ReadAllBytes(Path.Combine(FashionData.ModelFolder, "index_to_name.json"));
        using var json = System.Text.Json.JsonDocument.Parse(file);
        return [.. json.RootElement.EnumerateObject().OrderBy(label => int.Parse(label.Name, System.Globalization.CultureInfo.InvariantCulture)).Select(label => label.Value.GetString()!)];
    }
}
