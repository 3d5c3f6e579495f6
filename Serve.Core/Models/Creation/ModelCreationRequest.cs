namespace Serve.Core.Models.Creation;

/// <summary>Which model to create, and where.</summary>
public sealed record ModelCreationRequest
{
    /// <summary>One of <see cref="ModelCreator.Architectures"/>.</summary>
    public required string Architecture { get; init; }

    /// <summary>The model store: the folder that gets <c>name/version/</c>. Made if it is not there.</summary>
    public required string ModelStore { get; init; }

    /// <summary>The model's name in the store: letters, digits, <c>_</c>, <c>-</c> and <c>.</c>, a letter or digit first. Null: the architecture's.</summary>
    public string? ModelName { get; init; }

    /// <summary>The version's name, under the same rule. Default <c>1.0</c>.</summary>
    public string Version { get; init; } = "1.0";

    /// <summary>What weights are stored and computed in. Default 32 bits.</summary>
    public WeightPrecision Precision { get; init; } = WeightPrecision.Float32;

    /// <summary>Which operators the graph is written in. Null: fused in 16 bits, which are for GPUs, else plain.</summary>
    public OperatorForm? Form { get; init; }

    /// <summary>Chooses the random weights: the same seed gives the same bytes on every machine. Default 0.</summary>
    public ulong Seed { get; init; }

    /// <summary>Whether a version that is already there is replaced. Default: it is left alone and creating fails.</summary>
    public bool Force { get; init; }
}
