namespace Serve.Core.Models.Creation;

/// <summary>A Vision Transformer by its usual name: its sizes, and the size that its pictures are resized to before the crop.</summary>
/// <param name="Name">As torchvision writes it; <c>vit_s_16</c> and <c>vit_ti_16</c>, which only timm has, in the same way.</param>
/// <param name="Sizes">What it is made of.</param>
/// <param name="ResizeTo">The shorter side before the centre crop: torchvision's for its ImageNet weights of that name, else ImageNet's usual 256.</param>
internal sealed record VisionTransformerArchitecture(string Name, VisionTransformerConfiguration Sizes, int ResizeTo)
{
    /// <summary>All that can be created, the smallest first.</summary>
    public static IReadOnlyList<VisionTransformerArchitecture> All { get; } =
    [
        new("vit_ti_16", new() { Layers = 12, Width = 192, Heads = 3, MlpWidth = 768 }, 256),
        new("vit_s_16", new() { Layers = 12, Width = 384, Heads = 6, MlpWidth = 1536 }, 256),
        new("vit_b_16", new() { Layers = 12, Width = 768, Heads = 12, MlpWidth = 3072 }, 256),
        new("vit_l_16", new() { Layers = 24, Width = 1024, Heads = 16, MlpWidth = 4096 }, 242),
    ];
}
