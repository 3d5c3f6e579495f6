using System.Text.Json;
using System.Text.RegularExpressions;
using YamlDotNet.RepresentationModel;

namespace Serve.Tests.Deployment;

/// <summary>Every value of the chart stands in its table and in its schema.</summary>
public sealed partial class ChartValuesTests
{
    private static readonly JsonElement Schema = JsonDocument.Parse(Read("values.schema.json")).RootElement;

    [Fact]
    public void Each_value_is_documented_with_its_default()
    {
        var documented = Row().Matches(Read("README.md")).ToDictionary(row => row.Groups[1].Value, row => row.Groups[2].Value);

        Assert.Equal(Values().ToDictionary(value => value.Path, value => value.Default), documented);
    }

    [Fact]
    public void Each_value_has_a_type_and_no_other_is_allowed()
    {
        var known = Known("", Schema).Where(path => path != "global").Order(StringComparer.Ordinal);

        Assert.Equal(Values().Select(value => value.Path).Order(StringComparer.Ordinal), known);
    }

    // What the schema leaves open, such as a pod's securityContext, is one value.
    private static IEnumerable<(string Path, string Default)> Values() => Values("", Yaml.Document(Read("values.yaml")), Schema);

    private static IEnumerable<(string Path, string Default)> Values(string path, YamlNode node, JsonElement schema) =>
        node is YamlMappingNode map && schema.TryGetProperty("properties", out var properties)
            ? map.Children.SelectMany(child => Values(Join(path, ((YamlScalarNode)child.Key).Value!), child.Value, properties.GetProperty(((YamlScalarNode)child.Key).Value!)))
            : [(path, Show(node))];

    private static IEnumerable<string> Known(string path, JsonElement schema)
    {
        if (!schema.TryGetProperty("properties", out var properties)) return [path];
        Assert.False(schema.GetProperty("additionalProperties").GetBoolean());
        return properties.EnumerateObject().SelectMany(property => Known(Join(path, property.Name), property.Value));
    }

    private static string Show(YamlNode node) => node switch
    {
        YamlScalarNode { Style: YamlDotNet.Core.ScalarStyle.DoubleQuoted } text => $"\"{text.Value}\"",
        YamlScalarNode scalar => scalar.Value ?? "null",
        YamlSequenceNode list => $"[{string.Join(", ", list.Select(Show))}]",
        YamlMappingNode map => $"{{{string.Join(", ", map.Children.Select(child => $"{Show(child.Key)}: {Show(child.Value)}"))}}}",
        _ => throw new InvalidOperationException(node.ToString()),
    };

    private static string Join(string path, string key) => path.Length == 0 ? key : $"{path}.{key}";

    private static string Read(string file) => File.ReadAllText(Path.Combine(Kubernetes.Chart, file));

    [GeneratedRegex(@"^\| `([^`]+)` \| `([^`]*)` \| \S.* \|$", RegexOptions.Multiline)]
    private static partial Regex Row();
}
