using System.Text.RegularExpressions;
using Serve.Core.Configuration;
using Serve.Core.Models;

namespace Serve.Tests.Core.Configuration;

/// <summary>The documents say what the code does: every key with its real default.</summary>
public sealed partial class ConfigurationDocumentTests
{
    private static readonly string Document = Path.Combine(Repository.Root, "docs", "configuration.md");

    [Fact]
    public void Every_setting_of_the_server_is_documented_with_its_default_and_variable()
    {
        var rows = Rows().Where(row => row.Cells[3].Contains("SERVE_", StringComparison.Ordinal)).ToList();

        Assert.Equal(ServerKeys(), rows.Select(row => row.Key).Order(StringComparer.Ordinal));
        Assert.All(rows, row => Assert.Equal($"`{EnvironmentNames.Of(row.Key)}`", row.Cells[3]));

        var yaml = string.Join('\n', rows.Where(row => !row.Key.Contains('.')).Select(row => $"{row.Key}: {row.Default}"));
        foreach (var section in rows.Where(row => row.Key.Contains('.')).GroupBy(row => row.Key.Split('.')[0]))
        {
            yaml += $"\n{section.Key}:\n" + string.Join('\n', section.Select(row => $"  {row.Key.Split('.')[1]}: {row.Default}"));
        }

        var read = ServerConfigurationReader.ReadText(yaml, "/serve/configs/serve.yaml").Configuration;
        Assert.Equivalent(new ServerConfiguration { ModelStore = "/serve/model-store" }, read, strict: true);
    }

    [Fact]
    public void Every_setting_of_a_model_is_documented_with_its_default()
    {
        var rows = Rows().Where(row => !row.Cells[3].Contains("SERVE_", StringComparison.Ordinal)).ToList();
        string[] sections = ["preprocessing", "execution", "warmup", "responseCache"];

        Assert.Equal(Keys<ModelConfiguration>().Except(sections), Under(""));
        Assert.Equal(Keys<PreprocessingConfiguration>(), Under("preprocessing."));
        Assert.Equal(Keys<ExecutionConfiguration>(), Under("execution."));
        Assert.Equal(Keys<WarmupConfiguration>(), Under("warmup."));
        Assert.Equal(Keys<ResponseCacheConfiguration>(), Under("responseCache."));

        var yaml = string.Join('\n', rows.Where(row => !row.Key.Contains('.')).Select(row => $"{row.Key}: {row.Default}"));
        foreach (var section in sections)
        {
            yaml += $"\n{section}:\n" + string.Join('\n', rows.Where(row => row.Key.StartsWith(section + ".", StringComparison.Ordinal)).Select(row => $"  {row.Key[(section.Length + 1)..]}: {row.Default}"));
        }

        Assert.Equivalent(new ModelConfiguration { Instances = 0 }, ModelConfigurationReader.ReadText(yaml, "model-config.yaml", new()).Configuration, strict: true);

        IEnumerable<string> Under(string section) => rows
            .Where(row => section.Length == 0 ? !row.Key.Contains('.') : row.Key.StartsWith(section, StringComparison.Ordinal))
            .Select(row => row.Key[section.Length..])
            .Order(StringComparer.Ordinal);
    }

    [Fact]
    public void The_shipped_file_has_every_key_with_its_default()
    {
        var file = Path.Combine(Repository.Root, "configs", "serve.yaml");
        var keys = new List<string>();
        var section = "";
        foreach (var match in File.ReadLines(file).Select(line => KeyLine().Match(line)).Where(match => match.Success))
        {
            var isInside = match.Groups["inside"].Length > 0;
            if (match.Groups["value"].Length == 0) section = match.Groups["key"].Value;
            else keys.Add(isInside ? $"{section}.{match.Groups["key"].Value}" : match.Groups["key"].Value);
        }

        Assert.Equal(ServerKeys(), keys.Order(StringComparer.Ordinal));

        var read = ServerConfigurationReader.Read(file);
        Assert.Equivalent(new ServerConfiguration { ModelStore = Path.Combine(Repository.Root, "model-store") }, read.Configuration, strict: true);
        Assert.Empty(read.Warnings);
    }

    [Fact]
    public void The_bundled_model_opens_without_warnings()
    {
        var store = new ModelStore(ServerConfigurationReader.Read(Path.Combine(Repository.Root, "configs", "serve.yaml")).Configuration, Path.GetTempPath());

        using var source = store.Open("fashion-vit");

        Assert.Equal(("fashion-vit", "1.0"), (source.Name, source.Version));
        Assert.Equal(("image_classifier", "model.onnx", "index_to_name.json", 32), (source.Configuration.Handler, source.Configuration.ModelFile, source.Configuration.LabelFile, source.Configuration.BatchSize));
        Assert.Empty(source.Warnings);
        Assert.Equal("Ankle boot", LabelFile.Read(Path.Combine(source.Folder, source.Configuration.LabelFile!))[9]);
    }

    [Fact]
    public void The_documents_example_of_problems_is_what_a_reader_gets()
    {
        const string Yaml = """
            handler: image_classifier
            batchsize: 32
            instances: 1
            topK: 5
            batching: sometimes
            minWorkers: 3
            maxWorkers: 2
            """;
        var error = Assert.Throws<ConfigurationException>(() => ModelConfigurationReader.ReadText(Yaml, "model-store/fashion-vit/1.0/model-config.yaml", new()));

        Assert.Contains(error.Message, File.ReadAllText(Document), StringComparison.Ordinal);
    }

    /// <summary>The document's tables of keys: those whose first two columns are <c>key</c> and <c>default</c>.</summary>
    private static List<(string Key, string Default, string[] Cells)> Rows()
    {
        var rows = new List<(string, string, string[])>();
        var isTableOfKeys = false;
        foreach (var line in File.ReadLines(Document))
        {
            if (!line.StartsWith('|')) isTableOfKeys = false;
            else if (line.StartsWith("| key | default |", StringComparison.Ordinal)) isTableOfKeys = true;
            else if (isTableOfKeys && line.StartsWith("| `", StringComparison.Ordinal))
            {
                var cells = line.Trim('|', ' ').Split(" | ");
                rows.Add((cells[0].Trim('`'), cells[1].Trim('`'), cells));
            }
        }

        return rows;
    }

    private static IEnumerable<string> Keys<T>() => typeof(T).GetProperties()
        .Where(property => property.Name != "EqualityContract")
        .Select(property => char.ToLowerInvariant(property.Name[0]) + property.Name[1..])
        .Order(StringComparer.Ordinal);

    private static IEnumerable<string> ServerKeys() =>
        Keys<ServerConfiguration>().Except(["metrics", "logging", "openInference", "tracing"])
            .Concat(Keys<MetricsConfiguration>().Select(key => $"metrics.{key}"))
            .Concat(Keys<OpenInferenceConfiguration>().Select(key => $"openInference.{key}"))
            .Concat(Keys<LoggingConfiguration>().Select(key => $"logging.{key}"))
            .Concat(Keys<TracingConfiguration>().Select(key => $"tracing.{key}"))
            .Order(StringComparer.Ordinal);

    [GeneratedRegex("^(?<inside>  )?(?:# )?(?<key>[a-z][A-Za-z]+):(?: (?<value>.+))?$")]
    private static partial Regex KeyLine();
}
