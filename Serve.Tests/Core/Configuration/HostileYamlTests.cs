using System.Text;
using CsCheck;
using Serve.Core.Configuration;

namespace Serve.Tests.Core.Configuration;

public sealed class HostileYamlTests
{
    [Fact]
    public void Aliases_of_aliases_cost_nothing()
    {
        var text = new StringBuilder("a: &a0 [x, x]\n");
        for (var i = 1; i < 60; i++) text.Append('k').Append(i).Append(": &a").Append(i).Append(" [*a").Append(i - 1).Append(", *a").Append(i - 1).Append("]\n");

        Assert.Contains("uses more than 64 aliases", Fails(text.ToString()), StringComparison.Ordinal);
    }

    [Fact]
    public void A_few_aliases_work() =>
        Assert.Equal([0.5], Read("preprocessing: {mean: &half [0.5], std: *half}").Preprocessing.Std);

    [Fact]
    public void An_alias_inside_its_own_anchor_is_refused() =>
        Assert.Contains("no anchor &a stands before", Fails("handlerOptions: &a {b: *a}"), StringComparison.Ordinal);

    [Theory]
    [InlineData("[")]
    [InlineData("{a: ")]
    [InlineData("- ")]
    public void Depth_is_limited(string opening) =>
        Assert.Contains("nested deeper than 16 levels", Fails("a:\n  " + string.Concat(Enumerable.Repeat(opening, 100_000))), StringComparison.Ordinal);

    [Fact]
    public void Size_is_limited()
    {
        Assert.Contains("a configuration has at most 1048576", Fails(new string('#', (1 << 20) + 1)), StringComparison.Ordinal);

        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, new string('#', (1 << 20) + 1));
            Assert.Contains("has 1048577 bytes", Assert.Throws<ConfigurationException>(() => ModelConfigurationReader.Read(path, new())).Message, StringComparison.Ordinal);

            File.WriteAllBytes(path, [(byte)'#', 0xC3, 0x28]);
            Assert.Contains("is not UTF-8 text: the byte at offset 1", Assert.Throws<ConfigurationException>(() => ModelConfigurationReader.Read(path, new())).Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void The_number_of_values_is_limited() =>
        Assert.Contains("has more than 100000 values", Fails("a: [" + string.Join(',', Enumerable.Repeat("1", 100_001)) + "]"), StringComparison.Ordinal);

    [Fact]
    public void Whatever_the_text_it_is_read_or_refused_and_nothing_else()
    {
        string[] pieces = ["batchSize", "preprocessing", "mean", ":", ": ", "\n", "  ", "- ", "[", "]", "{", "}", "&a ", "*a", "!!x ", "'", "\"", "|", ">", "?", "%YAML 1.2\n", "---", "...", "#", ",", "1", "0.5", "\t", "\\x", "null", "<<", "é", "\0", "\uFEFF", "@", "`"];
        Gen.Int[0, pieces.Length - 1].Select(index => pieces[index]).Array[0, 30].Select(string.Concat).Sample(text =>
        {
            try
            {
                Read(text);
            }
            catch (ConfigurationException error)
            {
                Assert.NotEmpty(error.Problems);
            }
        }, iter: 20_000, threads: 1);
    }

    private static ModelConfiguration Read(string yaml) => ModelConfigurationReader.ReadText(yaml, "model-config.yaml", new()).Configuration;

    private static string Fails(string yaml) => Assert.Throws<ConfigurationException>(() => Read(yaml)).Message;
}
