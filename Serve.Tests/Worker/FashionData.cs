using System.Runtime.InteropServices;
using Serve.Core.Configuration;

namespace Serve.Tests.Worker;

/// <summary>The bundled model, a thousand pictures, and what PyTorch said of them.</summary>
internal static class FashionData
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "Data", "fashion");

    public static string ModelFolder { get; } = Path.Combine(RepositoryRoot(), "model-store", "fashion-vit", "1.0");

    public static ModelConfiguration Configuration { get; } = new()
    {
        Handler = "image_classifier",
        BatchSize = 32,
        Preprocessing = new PreprocessingConfiguration { Resize = [28], Crop = [28], Mean = [0.2860], Std = [0.3530] },
    };

    public static byte[] Picture(int index) => File.ReadAllBytes(Path.Combine(Folder, "test", $"{index:00000}.png"));

    /// <summary>1,000 rows of ten.</summary>
    public static float[] ReferenceLogits() => MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Path.Combine(Folder, "logits.1000x10.f32"))).ToArray();

    private static string RepositoryRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Serve.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("Serve.sln is in no folder above the tests.");
    }
}
