using System.Text.RegularExpressions;

namespace Serve.Tests.EndToEnd.Tracing;

/// <summary>A scrape as OpenMetrics 1.0, checked against the rules on which strict readers insist.</summary>
/// <param name="Samples">Its samples, without exemplars.</param>
/// <param name="Exemplars">Samples and the labels of their exemplars.</param>
internal sealed partial record OpenMetricsDocument(IReadOnlyList<string> Samples, IReadOnlyList<(string Series, string Labels)> Exemplars)
{
    private static readonly Dictionary<string, string[]> Suffixes = new()
    {
        ["counter"] = ["_total", "_created"],
        ["gauge"] = [""],
        ["unknown"] = [""],
        ["histogram"] = ["_bucket", "_sum", "_count", "_created"],
        ["summary"] = ["", "_sum", "_count", "_created"],
    };

    /// <summary>Reads a document.</summary>
    public static OpenMetricsDocument Parse(string text)
    {
        Assert.EndsWith("\n# EOF\n", text, StringComparison.Ordinal);
        var (samples, exemplars, families) = (new List<string>(), new List<(string, string)>(), new HashSet<string>());
        var (family, type) = ("", "unknown");
        foreach (var line in text[..^"# EOF\n".Length].Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            Assert.NotEqual("# EOF", line);
            if (line[0] == '#')
            {
                var words = line.Split(' ', 4);
                Assert.True(words is ["#", "HELP" or "TYPE" or "UNIT", ..], line);
                if (words[2] != family) Assert.True(families.Add(words[2]), $"{words[2]} is there twice, or not in one piece");
                family = words[2];
                if (words[1] == "TYPE") type = words[3];
                Assert.False(type == "counter" && words[1] == "TYPE" && family.EndsWith("_total", StringComparison.Ordinal), line);
                continue;
            }

            var sample = Sample().Match(line);
            Assert.True(sample.Success, line);
            Assert.Contains(sample.Groups["name"].Value, Suffixes[type].Select(suffix => family + suffix));
            samples.Add(line.Split(" # ")[0]);
            if (!sample.Groups["exemplar"].Success) continue;
            Assert.True(sample.Groups["name"].Value.EndsWith("_bucket", StringComparison.Ordinal) || type == "counter", line);
            exemplars.Add((samples[^1], sample.Groups["exemplar"].Value));
        }

        return new OpenMetricsDocument(samples, exemplars);
    }

    [GeneratedRegex("""^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\.)*"(,(?!\})|(?=\})))*\})? (?<value>[-+0-9.eE]+|NaN|[+-]Inf)( # \{(?<exemplar>[^}]*)\} [-+0-9.eE]+( [0-9.]+)?)?$""")]
    private static partial Regex Sample();
}
