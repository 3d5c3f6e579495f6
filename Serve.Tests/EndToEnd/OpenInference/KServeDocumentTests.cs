using System.Net;
using System.Text.RegularExpressions;
using Serve.Tests.Worker;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Serve.Tests.EndToEnd.OpenInference;

/// <summary>What docs/kserve.md shows has the fields of KServe's schemas, and arguments that the server takes.</summary>
public sealed partial class KServeDocumentTests(ITestOutputHelper output)
{
    private static readonly string Folder = Path.Combine(Repository.Root, "Serve.Tests", "Data", "kserve");

    [Theory]
    [InlineData("ServingRuntime")]
    [InlineData("InferenceService")]
    public void Each_object_has_only_fields_that_KServe_has_and_all_that_it_wants(string kind)
    {
        var known = (YamlMappingNode)Parse(File.ReadAllText(Path.Combine(Folder, "schema.yaml")))[kind];
        var shown = Objects().Single(shown => Text(shown["kind"]) == kind);

        Assert.Equal(Text(known["apiVersion"]), Text(shown["apiVersion"]));
        var faults = new List<string>();
        Check(kind, shown, (YamlMappingNode)known["schema"], faults);
        Assert.Empty(faults);
    }

    [Theory]
    [InlineData("kind: ServingRuntime\nspec: {}", "ServingRuntime.apiVersion is missing")]
    [InlineData("apiVersion: a\nkind: b\nmetadata: {name: c}\nspec: {containers: [{name: d, imagee: e}]}", "ServingRuntime.spec.containers[0].imagee is unknown")]
    [InlineData("apiVersion: a\nkind: b\nmetadata: {name: c}\nspec: {multiModel: maybe, containers: []}", "ServingRuntime.spec.multiModel: \"maybe\" is no boolean")]
    public void The_check_finds_what_is_wrong(string yaml, string fault)
    {
        var known = (YamlMappingNode)Parse(File.ReadAllText(Path.Combine(Folder, "schema.yaml")))["ServingRuntime"];
        var faults = new List<string>();
        Check("ServingRuntime", Parse(yaml), (YamlMappingNode)known["schema"], faults);

        Assert.Contains(fault, faults);
    }

    [Fact]
    public void The_service_asks_for_what_the_runtime_offers()
    {
        var (runtime, model) = (Objects().Single(shown => Text(shown["kind"]) == "ServingRuntime"), (YamlMappingNode)Objects().Single(shown => Text(shown["kind"]) == "InferenceService")["spec"]["predictor"]["model"]);

        Assert.Equal(Text(runtime["metadata"]["name"]), Text(model["runtime"]));
        Assert.Contains(Text(model["protocolVersion"]), ((YamlSequenceNode)runtime["spec"]["protocolVersions"]).Select(Text));
        Assert.Equal(Text(runtime["spec"]["supportedModelFormats"][0]["name"]), Text(model["modelFormat"]["name"]));
    }

    [Fact]
    public async Task The_runtimes_arguments_start_a_server_whose_probes_answer_and_that_serves_the_store()
    {
        using var store = new TemporaryFolder();
        using var run = new TemporaryFolder();
        Directory.CreateDirectory(store["add_sub", "1.0"]);
        SmallModels.SumAndDifference(store["add_sub", "1.0", "model.onnx"]);
        var container = (YamlMappingNode)Objects().Single(shown => Text(shown["kind"]) == "ServingRuntime")["spec"]["containers"][0];
        var arguments = ((YamlSequenceNode)container["args"]).Select(Text).ToList();
        Assert.Equal("start", arguments[0]);
        string[] flags = [.. arguments.Skip(1).Select(argument => Port().Replace(argument.Replace("/tmp/serve", run.Path, StringComparison.Ordinal).Replace("/mnt/models", store.Path, StringComparison.Ordinal), ":0"))];

        await using var server = await ServerFixture.StartAsync(new ServerOptions { Models = [], Flags = flags, FlagsFromConfiguration = [.. flags.Select(flag => flag.Split('=')[0])] }, output);
        await server.WaitUntilReadyAsync("add_sub");

        foreach (var probe in (string[])["readinessProbe", "livenessProbe"]) Assert.Equal(HttpStatusCode.OK, (await server.GetAsync(Text(container[probe]["httpGet"]["path"]))).Status);
        Assert.Equal("""{"name":"add_sub","ready":true}""", (await server.GetAsync("/v2/models/add_sub/ready")).Text);
        using var load = new HttpRequestMessage(HttpMethod.Post, "/v2/repository/models/add_sub/load");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await server.SendAsync(load)).Status);
    }

    private static IReadOnlyList<YamlMappingNode> Objects() =>
        [.. Block().Matches(File.ReadAllText(Path.Combine(Repository.Root, "docs", "kserve.md"))).Select(block => Parse(block.Groups[1].Value))];

    private static YamlMappingNode Parse(string yaml)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(yaml));
        return (YamlMappingNode)stream.Documents.Single().RootNode;
    }

    private static void Check(string path, YamlNode node, YamlMappingNode schema, List<string> faults)
    {
        switch (Text(schema["type"]))
        {
            case "object" when node is YamlMappingNode map:
                foreach (var name in schema.Children.TryGetValue("required", out var required) ? ((YamlSequenceNode)required).Select(Text) : [])
                {
                    if (!map.Children.ContainsKey(name)) faults.Add($"{path}.{name} is missing");
                }

                var known = schema.Children.TryGetValue("properties", out var properties) ? (YamlMappingNode)properties : [];
                foreach (var (key, value) in map.Children)
                {
                    if (known.Children.TryGetValue(key, out var child) || schema.Children.TryGetValue("additionalProperties", out child)) Check($"{path}.{Text(key)}", value, (YamlMappingNode)child, faults);
                    else faults.Add($"{path}.{Text(key)} is unknown");
                }

                break;
            case "array" when node is YamlSequenceNode list:
                for (var i = 0; i < list.Children.Count; i++) Check($"{path}[{i}]", list[i], (YamlMappingNode)schema["items"], faults);
                break;
            case var type when node is not YamlScalarNode scalar || !Is(scalar, type):
                faults.Add($"{path}: \"{node}\" is no {type}");
                break;
        }
    }

    // As YAML 1.2 reads them: what is in quotes is text.
    private static bool Is(YamlScalarNode scalar, string type)
    {
        var isPlain = scalar.Style == ScalarStyle.Plain;
        var isNumber = isPlain && long.TryParse(scalar.Value, out _);
        var isFlag = isPlain && scalar.Value is "true" or "false";
        return type switch
        {
            "boolean" => isFlag,
            "integer" => isNumber,
            "integerOrString" => !isFlag,
            "string" => !isFlag && !(isPlain && double.TryParse(scalar.Value, System.Globalization.CultureInfo.InvariantCulture, out _)),
            _ => false,
        };
    }

    private static string Text(YamlNode node) => ((YamlScalarNode)node).Value!;

    [GeneratedRegex("```yaml\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex(":80[0-9]{2}$")]
    private static partial Regex Port();
}
