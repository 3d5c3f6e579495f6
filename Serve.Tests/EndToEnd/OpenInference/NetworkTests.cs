using System.Runtime.InteropServices;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;
using SixLabors.ImageSharp.Processing;

namespace Serve.Tests.EndToEnd.OpenInference;

/// <summary>
/// Pretrained networks of others, served by nothing but their files, called as a client of the protocol calls them. The
/// expected values were observed with ONNX Runtime alone; those of the upscaler and MiniLM are the publishers'.
/// </summary>
public sealed class NetworkTests : IClassFixture<NetworkServer>
{
    private readonly InferClient _client;

    public NetworkTests(NetworkServer networks, ITestOutputHelper output)
    {
        _client = networks.Client;
        networks.Server.ShowLogs(output);
    }

    [Fact]
    public async Task BlazeFace_finds_the_astronauts_face_and_none_in_the_coffee()
    {
        var (score, box) = await DetectAsync("astronaut.png");
        Assert.InRange(score, 0.89, 0.95);
        Assert.All(box.Zip([179.0, 82, 274, 176]), pair => Assert.InRange(pair.First, pair.Second - 4, pair.Second + 4));
        Assert.InRange((await DetectAsync("coffee.png")).Score, 0, 0.5);
    }

    [Fact]
    public async Task Basic_pitch_hears_three_notes()
    {
        var result = await _client.InferAsync("basic-pitch", [WireTensor.Of("audio", "FP32", [1, 43_844, 1], Melody())], Form.Binary);
        var frames = result["frames"];
        Assert.Equal([1L, 172, 88], frames.Shape);
        var values = frames.Elements<float>();
        var heard = Enumerable.Range(0, values.Length).Where(i => values[i] > 0.5f).GroupBy(i => 21 + (i % 88)).ToDictionary(group => group.Key, group => (From: group.Min() / 88, To: group.Max() / 88));
        Assert.Equal([(60, (16, 61)), (64, (67, 112)), (67, (119, 165))], heard.OrderBy(note => note.Key).Select(note => (note.Key, note.Value)));
        Assert.All(values.AsSpan((50 * 88) + 35, 6).ToArray().Zip([0.0968, 0.0990, 0.1034, 0.0763, 0.8036, 0.0853]), pair => Assert.Equal(pair.Second, pair.First, 2e-3));
        Assert.Equal([[1L, 172, 88], [1L, 172, 264]], [result["onsets"].Shape, result["contours"].Shape]);
    }

    [Fact]
    public async Task Esrgan_enlarges_as_its_publishers_did()
    {
        using var small = Image.Load<Rgb24>(NetworkServer.Data("esrgan-slim/fixture.png"));
        using var expected = Image.Load<Rgb24>(NetworkServer.Data("esrgan-slim/2x.png"));
        var result = await _client.InferAsync("esrgan", [WireTensor.Of("image", "FP32", [1, small.Height, small.Width, 3], [.. Bytes(small).Select(value => (float)value)])], Form.Binary);
        Assert.Equal([1L, 256, 256, 3], result["upscaled"].Shape);
        var differences = result["upscaled"].Elements<float>().Zip(Bytes(expected), (value, wanted) => Math.Abs((int)Math.Clamp(MathF.Round(value), 0, 255) - wanted)).ToList();
        Assert.Equal(256 * 256 * 3, differences.Count);
        Assert.True(differences.Max() <= 1 && differences.Count(difference => difference > 0) < differences.Count / 1000, $"{differences.Count(difference => difference > 0)} differ, by {differences.Max()} at most");

        // Another size at the same time as the first does not disturb it.
        var tall = WireTensor.Of("image", "FP32", [1, 40, 16, 3], [.. Enumerable.Range(0, 40 * 16 * 3).Select(i => i % 256f)]);
        var both = await Task.WhenAll(_client.InferAsync("esrgan", [tall], Form.Binary), _client.InferAsync("esrgan", [tall with { Shape = [2, 20, 16, 3] }], Form.Binary));
        Assert.Equal([[1L, 80, 32, 3], [2L, 40, 32, 3]], both.Select(answer => answer["upscaled"].Shape));
    }

    [Fact]
    public async Task Silero_tells_speech_from_silence_with_the_state_that_the_client_carries()
    {
        var probabilities = await ListenAsync(keepsState: true);
        Assert.Equal(201, probabilities.Count);
        Assert.All(probabilities[..46], probability => Assert.InRange(probability, 0, 0.02));
        Assert.All(probabilities[150..], probability => Assert.InRange(probability, 0, 0.01));
        Assert.Equal(0.917, probabilities[49..141].Average(), 0.01);
        Assert.Equal(83, probabilities[49..141].Count(probability => probability >= 0.5));

        // Two such streams at once, one of which forgets, do not mix.
        var both = await Task.WhenAll(ListenAsync(keepsState: true), ListenAsync(keepsState: false));
        Assert.Equal(probabilities, both[0]);
        Assert.Equal(0.624, both[1][49..141].Average(), 0.01);
        Assert.Equal(68, both[1][49..141].Count(probability => probability >= 0.5));
    }

    [Fact]
    public async Task MiniLm_embeds_sentences_alone_and_padded_together()
    {
        long[] one = [101, 2023, 2003, 2019, 2742, 6251, 102], other = [101, 2169, 6251, 2003, 4991, 102];
        var (first, second) = ((await EmbedAsync([one]))[0], (await EmbedAsync([other]))[0]);
        Assert.All(first.Zip([0.067657, 0.063496, 0.048713, 0.079305, 0.037448, 0.002653, 0.039375, -0.007098]), pair => Assert.Equal(pair.Second, pair.First, 2e-5));
        Assert.All(second.Zip([0.086439, 0.102763, 0.005395, 0.002044, -0.009963, 0.025386]), pair => Assert.Equal(pair.Second, pair.First, 2e-5));
        Assert.Equal(0.4046, first.Zip(second, (a, b) => a * b).Sum(), 1e-4);

        var together = await EmbedAsync([one, other]);
        Assert.All(together[0].Zip(first), pair => Assert.Equal(pair.Second, pair.First, 1e-5));
        Assert.All(together[1].Zip(second), pair => Assert.Equal(pair.Second, pair.First, 1e-5));
    }

    // The face with the highest score, and its box in pixels of the picture.
    private async Task<(double Score, double[] Box)> DetectAsync(string photo)
    {
        const int Side = 128;
        using var image = Image.Load<Rgb24>(Path.Combine(AppContext.BaseDirectory, "Data", "images", "photos", photo));
        var longer = Math.Max(image.Width, image.Height);
        image.Mutate(edit => edit.Resize(new ResizeOptions { Size = new Size(Side, Side), Mode = ResizeMode.Pad, Sampler = KnownResamplers.Triangle, PadColor = Color.Black }));
        var result = await _client.InferAsync("blazeface", [WireTensor.Of("input:0", "FP32", [1, Side, Side, 3], [.. Bytes(image).Select(value => (value / 127.5f) - 1)])], Form.Binary);
        Assert.Equal(["Identity:0", "Identity_1:0", "Identity_2:0", "Identity_3:0"], result.Outputs.Select(output => output.Name).Order(StringComparer.Ordinal));

        var scores = Join(result, "Identity:0", "Identity_1:0");
        var boxes = Join(result, "Identity_2:0", "Identity_3:0");
        var best = Array.IndexOf(scores, scores.Max());

        // Two anchors in each of 16 by 16 cells, then six in each of 8 by 8.
        var (cell, grid) = best < 512 ? (best / 2, 16) : ((best - 512) / 6, 8);
        var centre = (X: ((cell % grid) + 0.5) / grid * Side, Y: (((cell / grid) + 0.5) / grid) * Side);
        var (x, y, width, height) = (centre.X + boxes[16 * best], centre.Y + boxes[(16 * best) + 1], boxes[(16 * best) + 2], boxes[(16 * best) + 3]);
        var scale = (double)longer / Side;
        return (1 / (1 + Math.Exp(-scores[best])), [(x - (width / 2)) * scale, (y - (height / 2)) * scale, (x + (width / 2)) * scale, (y + (height / 2)) * scale]);
    }

    private static float[] Join(InferResult result, string one, string other) => [.. result[one].Elements<float>(), .. result[other].Elements<float>()];

    private static byte[] Bytes(Image<Rgb24> image)
    {
        var pixels = new Rgb24[image.Width * image.Height];
        image.CopyPixelDataTo(pixels);
        return MemoryMarshal.AsBytes(pixels.AsSpan()).ToArray();
    }

    // Five harmonics of three notes, half a second each.
    private static float[] Melody()
    {
        const double Rate = 22_050, Ramp = 0.01;
        var samples = new float[43_844];
        foreach (var (note, from, to) in ((int, double, double)[])[(60, 0.2, 0.7), (64, 0.8, 1.3), (67, 1.4, 1.9)])
        {
            var frequency = 440 * Math.Pow(2, (note - 69) / 12.0);
            for (var i = (int)(from * Rate); i < (int)(to * Rate); i++)
            {
                var time = i / Rate;
                var gain = Math.Clamp(Math.Min(time - from, to - time) / Ramp, 0, 1);
                for (var k = 1; k <= 5; k++) samples[i] += (float)(gain * 0.3 / k * Math.Sin(2 * Math.PI * k * frequency * time));
            }
        }

        return samples;
    }

    private async Task<List<double>> ListenAsync(bool keepsState)
    {
        const int Frame = 512, Context = 64;
        var wave = await File.ReadAllBytesAsync(NetworkServer.Data("silero-vad/speech-16k.wav"));
        var data = wave.AsSpan().IndexOf("data"u8) + 8;
        var samples = MemoryMarshal.Cast<byte, short>(wave.AsSpan(data)).ToArray().Select(sample => sample / 32768f).ToArray();
        var (state, silence) = (new float[2 * 128], new float[2 * 128]);
        List<double> probabilities = [];
        for (var at = 0; at + Frame <= samples.Length; at += Frame)
        {
            var input = new float[Context + Frame];
            if (at > 0) samples.AsSpan(at - Context, Context).CopyTo(input);
            samples.AsSpan(at, Frame).CopyTo(input.AsSpan(Context));
            var result = await _client.InferAsync(
                "silero",
                [WireTensor.Of("input", "FP32", [1, Context + Frame], input), WireTensor.Of("state", "FP32", [2, 1, 128], keepsState ? state : silence), WireTensor.Of("sr", "INT64", [], 16_000L)],
                Form.Mixed);
            probabilities.Add(result["output"].Elements<float>().Single());
            state = result["stateN"].Elements<float>();
        }

        return probabilities;
    }

    // The mean of a sentence's tokens, of length one; shorter sentences are padded.
    private async Task<List<double[]>> EmbedAsync(long[][] sentences)
    {
        var length = sentences.Max(sentence => sentence.Length);
        long[] shape = [sentences.Length, length];
        long[] ids = [.. sentences.SelectMany(sentence => sentence.Concat(new long[length - sentence.Length]))];
        long[] mask = [.. sentences.SelectMany(sentence => Enumerable.Range(0, length).Select(i => i < sentence.Length ? 1L : 0))];
        var result = await _client.InferAsync("minilm", [WireTensor.Of("input_ids", "INT64", shape, ids), WireTensor.Of("attention_mask", "INT64", shape, mask), WireTensor.Of("token_type_ids", "INT64", shape, new long[ids.Length])], Form.Binary);
        var hidden = result["last_hidden_state"];
        Assert.Equal([sentences.Length, length, 384L], hidden.Shape);
        var values = hidden.Elements<float>();
        List<double[]> embeddings = [];
        for (var row = 0; row < sentences.Length; row++)
        {
            var mean = new double[384];
            for (var token = 0; token < sentences[row].Length; token++)
            {
                for (var i = 0; i < mean.Length; i++) mean[i] += values[(((row * length) + token) * mean.Length) + i];
            }

            var norm = Math.Sqrt(mean.Sum(value => value * value));
            embeddings.Add([.. mean.Select(value => value / norm)]);
        }

        return embeddings;
    }
}
