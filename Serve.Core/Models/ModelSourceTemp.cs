// Placeholder so that the registry compiles: whoever lands the real ModelSource, ModelStore and VersionOrder deletes this file.
// The registry needs ModelSource.{Name,Version,Url,Folder,Configuration,SaysWorkers (minWorkers stands in the model file),Dispose()},
// ModelStore(ServerConfiguration).{AtStartup(),Open(url, name?)} and VersionOrder.Instance.
using Serve.Core.Configuration;

namespace Serve.Core.Models;
#pragma warning disable CS1591
public sealed record ModelSource(string Name, string Version, string Url, string Folder, ModelConfiguration Configuration, bool SaysWorkers) : IDisposable
{
    public void Dispose() { }
}

public sealed class ModelStore(ServerConfiguration configuration)
{
    public IEnumerable<string> AtStartup() => Directory.GetDirectories(configuration.ModelStore).Select(d => Path.GetFileName(d));
    public ModelSource Open(string url, string? name = null)
    {
        var folder = Directory.GetDirectories(Path.Combine(configuration.ModelStore, url))[0];
        return new ModelSource(name ?? url, Path.GetFileName(folder), url, Path.GetFullPath(folder), ModelConfigurationReader.Read(Path.Combine(folder, "model-config.yaml"), configuration).Configuration, true);
    }
}
public sealed class VersionOrder : IComparer<string>
{
    public static VersionOrder Instance { get; } = new();
    public int Compare(string? x, string? y) => string.CompareOrdinal(x, y);
}
