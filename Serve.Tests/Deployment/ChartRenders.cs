namespace Serve.Tests.Deployment;

/// <summary>The chart as Helm renders it: with its own values, and with the files in Data/helm.</summary>
public sealed class ChartRenders : IAsyncLifetime
{
    /// <summary>What it is rendered with.</summary>
    public static IReadOnlyList<string> Names { get; } = ["default", "gpu", "everything"];

    private readonly TemporaryFolder _folder = new();
    private readonly Dictionary<string, string> _texts = [];

    /// <summary>The files with the objects.</summary>
    internal IReadOnlyList<string> Files => [.. Names.Select(name => _folder[name + ".yaml"])];

    internal string Text(string name) => _texts[name];

    /// <summary>The objects of one render, as trees.</summary>
    internal IReadOnlyList<YamlDotNet.RepresentationModel.YamlMappingNode> Objects(string name) => Yaml.Documents(_texts[name]);

    /// <summary>The only object of a kind in a render.</summary>
    internal YamlDotNet.RepresentationModel.YamlMappingNode Object(string name, string kind) => Objects(name).Single(candidate => candidate.Text("kind") == kind);

    /// <summary>The server's configuration in a render.</summary>
    internal string Configuration(string name) => Objects(name).Single(candidate => candidate.Text("data", "serve.yaml") is not null).Text("data", "serve.yaml")!;

    public async ValueTask InitializeAsync()
    {
        if (!Kubernetes.IsInstalled) return;
        var rendered = await Task.WhenAll(Names.Select(name => Kubernetes.RenderAsync(name == "default" ? [] : ["--values", Path.Combine(Repository.Root, "Serve.Tests", "Data", "helm", name + ".yaml")])));
        foreach (var (name, text) in Names.Zip(rendered))
        {
            _texts[name] = text;
            _folder.Write(name + ".yaml", text);
        }
    }

    public ValueTask DisposeAsync()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }
}
