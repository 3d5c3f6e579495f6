namespace Serve.Benchmarks;

/// <summary>The folders of the project that this program lies in.</summary>
/// <param name="Root">The folder of <c>Serve.sln</c>.</param>
internal sealed record Repository(string Root)
{
    /// <summary>Where reports go.</summary>
    public string Reports => Path.Combine(Root, "artifacts", "bench");

    /// <summary>The bundled model's folder.</summary>
    public string FashionVit => Path.Combine(Root, "model-store", "fashion-vit");

    /// <summary>The built server.</summary>
    /// <exception cref="BenchmarkException">It has not been built.</exception>
    public string Server
    {
        get
        {
            var path = Path.Combine(Root, "artifacts", "serve", "serve");
            return File.Exists(path) ? path : throw new BenchmarkException($"The built server {path} is not there; `make build` makes it.");
        }
    }

    /// <summary>Files of photos.</summary>
    public IReadOnlyList<string> Photos => [.. Directory.EnumerateFiles(Path.Combine(Root, "Serve.Tests", "Data", "images", "photos"), "*.jpg").Order(StringComparer.Ordinal)];

    /// <summary>Pictures of 28 by 28 pixels: those of the tests, or the samples.</summary>
    public IReadOnlyList<byte[]> Pictures(int most)
    {
        string[] folders = [Path.Combine(Root, "Serve.Tests", "Data", "fashion"), Path.Combine(Root, "docs", "samples")];
        foreach (var folder in folders.Where(Directory.Exists))
        {
            string[] files = [.. Directory.EnumerateFiles(folder, "*.png", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Take(most)];
            if (files.Length > 0) return [.. files.Select(File.ReadAllBytes)];
        }

        throw new BenchmarkException($"There are no pictures in {string.Join(" and ", folders)}.");
    }

    /// <summary>The project around this program.</summary>
    /// <exception cref="BenchmarkException">There is none.</exception>
    public static Repository Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Serve.sln"))) return new Repository(folder.FullName);
        }

        throw new BenchmarkException($"No folder above {AppContext.BaseDirectory} has Serve.sln; start the program where it was built.");
    }
}

/// <summary>The benchmarks cannot run.</summary>
/// <param name="message">Why, and what helps.</param>
internal sealed class BenchmarkException(string message) : Exception(message);
