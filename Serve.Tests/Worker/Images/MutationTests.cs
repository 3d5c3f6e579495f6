using Serve.Worker.Images;

namespace Serve.Tests.Worker.Images;

/// <summary>Damaged at random places, seeded: whatever a decoder throws, the caller sees a picture accepted or an <see cref="ImageException"/>.</summary>
public sealed class MutationTests
{
    [Theory]
    [InlineData("formats/baseline-420.jpg", 600)]
    [InlineData("formats/progressive.jpg", 600)]
    [InlineData("formats/cmyk.jpg", 200)]
    [InlineData("formats/rgb.png", 300)]
    [InlineData("formats/palette.png", 300)]
    [InlineData("formats/one-bit.png", 300)]
    [InlineData("formats/still.gif", 600)]
    [InlineData("formats/lossless.webp", 400)]
    [InlineData("formats/lossy.webp", 600)]
    [InlineData("formats/rgb.bmp", 400)]
    [InlineData("formats/lzw.tiff", 600)]
    public void Nothing_but_a_refusal_comes_out_of_damage(string name, int mutations)
    {
        var original = Pictures.Read(name);
        var preprocessor = new ImagePreprocessor(Pictures.Cropped(32, 32) with { Limits = new ImageLimits { MaxImagePixels = 1 << 20 } });
        var expected = preprocessor.Preprocess(original);
        var destination = new byte[preprocessor.OutputBytes];
        var random = new Random(8);
        for (var i = 0; i < mutations; i++)
        {
            var mutated = original.ToArray();
            for (var flips = 1 + random.Next(8); flips > 0; flips--)
            {
                // Half of the damage goes to the headers, where the decisions are.
                var at = random.Next(random.Next(2) == 0 ? Math.Min(700, mutated.Length) : mutated.Length);
                mutated[at] = random.Next(3) switch { 0 => (byte)random.Next(256), 1 => (byte)(mutated[at] ^ (1 << random.Next(8))), _ => (byte)(random.Next(2) * 255) };
            }

            if (name.EndsWith(".png", StringComparison.Ordinal))
                PngChunks.Repair(mutated);
            try
            {
                preprocessor.Preprocess(mutated, destination, CancellationToken.None);
            }
            catch (ImageException refused)
            {
                Assert.NotEmpty(refused.Message);
            }
        }

        Assert.Equal(expected, preprocessor.Preprocess(original));
    }
}
