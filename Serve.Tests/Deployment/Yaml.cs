using YamlDotNet.RepresentationModel;

namespace Serve.Tests.Deployment;

/// <summary>YAML as a tree, looked into by paths.</summary>
internal static class Yaml
{
    /// <summary>The documents of a text, without those that are empty.</summary>
    public static IReadOnlyList<YamlMappingNode> Documents(string text)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(text));
        return [.. stream.Documents.Select(document => document.RootNode).OfType<YamlMappingNode>()];
    }

    /// <summary>The only document of a text.</summary>
    public static YamlMappingNode Document(string text) => Documents(text).Single();

    /// <summary>What lies at a path of keys; null if one of them is not there.</summary>
    public static YamlNode? At(this YamlNode node, params string[] path)
    {
        YamlNode? here = node;
        foreach (var key in path)
        {
            if (here is not YamlMappingNode map || !map.Children.TryGetValue(key, out here)) return null;
        }

        return here;
    }

    /// <summary>The text at a path; null if it is not there.</summary>
    public static string? Text(this YamlNode node, params string[] path) => (node.At(path) as YamlScalarNode)?.Value;

    /// <summary>The items of the list at a path; none if it is not there.</summary>
    public static IEnumerable<YamlNode> Items(this YamlNode node, params string[] path) => node.At(path) as YamlSequenceNode ?? Enumerable.Empty<YamlNode>();

    /// <summary>The names and texts of the map at a path.</summary>
    public static Dictionary<string, string> Texts(this YamlNode node, params string[] path) =>
        (node.At(path) as YamlMappingNode)?.Children.ToDictionary(pair => ((YamlScalarNode)pair.Key).Value!, pair => ((YamlScalarNode)pair.Value).Value ?? "") ?? [];
}
