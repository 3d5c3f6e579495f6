namespace Serve.Core.Models.Creation;

/// <summary>The sizes that make a Vision Transformer what it is (Dosovitskiy et al., 2020), named as torchvision names them where it does.</summary>
internal sealed record VisionTransformerConfiguration
{
    /// <summary>Encoder layers: torchvision's <c>num_layers</c>.</summary>
    public required int Layers { get; init; }

    /// <summary>The length of a token: <c>hidden_dim</c>. A multiple of <see cref="Heads"/>.</summary>
    public required int Width { get; init; }

    /// <summary>Attention heads: <c>num_heads</c>.</summary>
    public required int Heads { get; init; }

    /// <summary>The width inside the two-layer perceptron: <c>mlp_dim</c>.</summary>
    public required int MlpWidth { get; init; }

    /// <summary>The side of a patch in pixels.</summary>
    public int PatchSize { get; init; } = 16;

    /// <summary>The side of the picture in pixels. A multiple of <see cref="PatchSize"/>.</summary>
    public int ImageSize { get; init; } = 224;

    /// <summary>The number of logits.</summary>
    public int Classes { get; init; } = 1000;

    /// <summary>torchvision's value for every layer norm of its ViTs.</summary>
    public float LayerNormEpsilon { get; init; } = 1e-6f;

    /// <summary>Patches in a picture.</summary>
    public int Patches => ImageSize / PatchSize * (ImageSize / PatchSize);

    /// <summary>The patches and the class token before them.</summary>
    public int Tokens => Patches + 1;

    /// <summary>The width of one head.</summary>
    public int HeadWidth => Width / Heads;

    /// <summary>Throws when no transformer has these sizes.</summary>
    /// <exception cref="ArgumentException">A size is not positive or does not divide another one that it must divide.</exception>
    public void Validate()
    {
        int[] sizes = [Layers, Width, Heads, MlpWidth, PatchSize, ImageSize, Classes];
        if (sizes.Any(size => size <= 0))
        {
            throw new ArgumentException($"Every size of a Vision Transformer is at least 1: {this}.");
        }

        if (Width % Heads != 0)
        {
            throw new ArgumentException($"A width of {Width} cannot be shared evenly by {Heads} heads.");
        }

        if (ImageSize % PatchSize != 0)
        {
            throw new ArgumentException($"A picture of {ImageSize} pixels cannot be cut evenly into patches of {PatchSize}.");
        }
    }
}
