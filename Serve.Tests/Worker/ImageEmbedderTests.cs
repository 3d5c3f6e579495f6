using System.Text.Json;
using Serve.Core.Configuration;
using Serve.Core.Handlers;
using Serve.Worker.BuiltIn;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Processing;

namespace Serve.Tests.Worker;

public sealed class ImageEmbedderTests(ImageEmbedderTests.Network network) : IClassFixture<ImageEmbedderTests.Network>
{
    [Theory]
    [InlineData("astronaut", 37.98, 391, 0.1546, 2.3376, 0.0906, 0.0557, 0.3913)]
    [InlineData("coffee", 34.55, 99, 1.1496, 0.1575, 0.0162)]
    [InlineData("chelsea", 42.10, 273, 0.0401, 0.3899, 0.0357)]
    public void A_pretrained_network_embeds_photos_as_the_reference_does(string photo, double norm, int largest, params double[] first)
    {
        var embedding = network.Embed(Photo(photo));

        Assert.Equal(512, embedding.Length);
        Assert.Equal(norm, Norm(embedding), 0.006);
        Assert.Equal(largest, Array.IndexOf(embedding, embedding.Max()));
        for (var i = 0; i < first.Length; i++) Assert.Equal(first[i], embedding[i], 6e-4);
    }

    [Fact]
    public void Photos_are_as_far_apart_as_the_reference_says()
    {
        var (astronaut, coffee, chelsea) = (network.Embed(Photo("astronaut")), network.Embed(Photo("coffee")), network.Embed(Photo("chelsea")));

        Assert.Equal(0.354, Cosine(astronaut, coffee), 1e-3);
        Assert.Equal(0.320, Cosine(astronaut, chelsea), 1e-3);
        Assert.Equal(0.216, Cosine(coffee, chelsea), 1e-3);
    }

    [Theory]
    [InlineData("astronaut", "chelsea")]
    [InlineData("chelsea", "coffee")]
    [InlineData("coffee", "astronaut")]
    public void Two_crops_of_one_photo_are_nearer_than_another_photo(string photo, string other)
    {
        var one = network.Embed(CropOf(photo, left: 0, top: 0));
        var two = network.Embed(CropOf(photo, left: 30, top: 20));
        var stranger = network.Embed(Photo(other));

        Assert.True(Cosine(one, two) > Cosine(one, stranger) + 0.2, $"{Cosine(one, two)} against {Cosine(one, stranger)}");
    }

    [Fact]
    public void A_normalized_embedding_has_the_length_1()
    {
        var plain = network.Embed(Photo("coffee"));
        using var model = Network.Load(new Dictionary<string, string> { ["normalize"] = "true" });

        var normalized = Network.Embed(model, Photo("coffee"));

        Assert.Equal(1, Norm(normalized), 1e-5);
        Assert.Equal(1, Cosine(plain, normalized), 1e-5);
    }

    private static byte[] Photo(string name) => File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Data", "images", "photos", name + ".png"));

    private static byte[] CropOf(string photo, int left, int top)
    {
        using var image = Image.Load(Photo(photo));
        image.Mutate(context => context.Crop(new Rectangle(left, top, image.Width - 40, image.Height - 40)));
        using var png = new MemoryStream();
        image.SaveAsPng(png);
        return png.ToArray();
    }

    private static double Norm(double[] vector) => Math.Sqrt(vector.Sum(value => value * value));

    private static double Cosine(double[] a, double[] b) => a.Zip(b, static (x, y) => x * y).Sum() / Norm(a) / Norm(b);

    /// <summary>Loaded once: it takes a second.</summary>
    public sealed class Network : IDisposable
    {
        private readonly InProcessModel _model = Load([]);

        public double[] Embed(byte[] picture) => Embed(_model, picture);

        public void Dispose() => _model.Dispose();

        internal static double[] Embed(InProcessModel model, byte[] picture) => JsonSerializer.Deserialize<double[]>(model.Run(picture))!;

        internal static InProcessModel Load(Dictionary<string, string> options)
        {
            var model = new InProcessModel(new ImageEmbedder(), ResNet18.Write, new ModelConfiguration
            {
                HandlerOptions = options,
                Preprocessing = new PreprocessingConfiguration { Resize = [256], Crop = [224], Scale = 1, Mean = [0], Std = [1] },
            });
            Assert.Equal(RowBatching.FixedOne, model.Model.Signature.Batching);
            return model;
        }
    }
}
