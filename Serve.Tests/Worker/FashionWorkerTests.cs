using System.Text.Json;

namespace Serve.Tests.Worker;

public sealed class FashionWorkerTests
{
    [Fact]
    public void A_worker_classifies_every_reference_picture_as_PyTorch_does()
    {
        using var worker = WorkerConnection.StartReady(FashionData.ModelFolder, FashionData.Configuration);
        var logits = FashionData.ReferenceLogits();
        var labels = JsonDocument.Parse(File.ReadAllText(Path.Combine(FashionData.ModelFolder, "index_to_name.json"))).RootElement;
        Assert.Equal(64, worker.Ready!.Credit);

        // As much as the credit allows is outstanding; each answer makes room for the next request.
        const int pictures = 1000;
        var sent = 0;
        while (sent < worker.Ready.Credit) Send(sent++);
        for (var answered = 0; answered < pictures; answered++)
        {
            var answer = worker.ReadAnswer();
            if (sent < pictures) Send(sent++);

            Assert.True(answer.Status == 200, answer.Text);
            var expected = Softmax(logits.AsSpan((int)answer.Id * 10, 10));
            var order = Enumerable.Range(0, 10).OrderByDescending(index => expected[index]).ToArray();
            var got = answer.Json.EnumerateObject().ToArray();
            Assert.Equal(5, got.Length);
            Assert.Equal(labels.GetProperty(order[0].ToString()).GetString(), got[0].Name);
            Assert.Equal(got.Select(entry => entry.Value.GetDouble()).OrderDescending(), got.Select(entry => entry.Value.GetDouble()));
            foreach (var entry in got)
            {
                var index = int.Parse(labels.EnumerateObject().Single(label => label.Value.GetString() == entry.Name).Name);
                Assert.InRange(entry.Value.GetDouble(), expected[index] - 1e-3, expected[index] + 1e-3);
            }
        }

        void Send(int index) => worker.Run((ulong)index, FashionData.Picture(index));
    }

    [Fact]
    public void Ready_describes_the_model()
    {
        using var worker = WorkerConnection.StartReady(FashionData.ModelFolder, FashionData.Configuration);

        Assert.Equal("image_classifier", worker.Ready!.Handler);
        Assert.Equal("cpu:0", worker.Ready.Device);
        var input = Assert.Single(worker.Ready.Signature!.Inputs);
        Assert.Equal("pixel_values", input.Name);
        Assert.Equal([-1, 3, 28, 28], input.Shape);
        TestContext.Current.SendDiagnosticMessage($"loaded in {worker.Ready.LoadMilliseconds} ms");
    }

    private static double[] Softmax(ReadOnlySpan<float> logits)
    {
        var largest = logits.ToArray().Max();
        var exponentials = logits.ToArray().Select(value => Math.Exp(value - largest)).ToArray();
        return [.. exponentials.Select(value => value / exponentials.Sum())];
    }
}
