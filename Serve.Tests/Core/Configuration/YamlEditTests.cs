using CsCheck;
using Serve.Core.Configuration;

namespace Serve.Tests.Core.Configuration;

public sealed class YamlEditTests
{
    private const string Commented = """
        # A picture model.
        handler: image_classifier   # stock
        batchSize: 8                # what the GPU likes

        minWorkers:    1
        preprocessing:
          resize: 256   # shorter side
          mean: [0.5, 0.5, 0.5]
          # the end of it

        # threads
        execution:
          providers:
            - cpu
          allowSpinning: false # never

        """;

    [Fact]
    public void Only_the_value_changes()
    {
        var edited = Set(Commented, ("batchSize", "32"), ("minWorkers", "2"));
        Assert.Equal(Commented.Replace("batchSize: 8 ", "batchSize: 32 ", StringComparison.Ordinal).Replace("minWorkers:    1", "minWorkers:    2", StringComparison.Ordinal), edited);
    }

    [Fact]
    public void A_new_key_of_a_section_stands_at_its_end_with_its_indent() =>
        Assert.Equal(Commented.Replace("  allowSpinning: false # never\n", "  allowSpinning: false # never\n  intraOpThreads: 2\n", StringComparison.Ordinal), Set(Commented, ("execution.intraOpThreads", "2")));

    [Theory]
    [InlineData("", "batchSize: 4\n")]
    [InlineData("# nothing yet\n", "# nothing yet\nbatchSize: 4\n")]
    [InlineData("# nothing yet", "# nothing yet\nbatchSize: 4\n")]
    [InlineData("instances: 2", "instances: 2\nbatchSize: 4")]
    [InlineData("instances: 2\r\n# c\r\n", "instances: 2\r\nbatchSize: 4\r\n# c\r\n")]
    [InlineData("batchSize: 1\r\ninstances: 2\r\n", "batchSize: 4\r\ninstances: 2\r\n")]
    [InlineData("batchSize:\ninstances: 2\n", "batchSize: 4\ninstances: 2\n")]
    [InlineData("batchSize: # none\ninstances: 2\n", "batchSize: 4 # none\ninstances: 2\n")]
    [InlineData("batchSize: null\n", "batchSize: 4\n")]
    [InlineData("\"batchSize\": '1'\n", "\"batchSize\": 4\n")]
    [InlineData("{instances: 2}", "{instances: 2, batchSize: 4}")]
    [InlineData("{ batchSize: 1, instances: 2 }\n", "{ batchSize: 4, instances: 2 }\n")]
    [InlineData("{}\n", "{batchSize: 4}\n")]
    [InlineData("{deviceIds: [0, 1]}\n", "{deviceIds: [0, 1], batchSize: 4}\n")]
    [InlineData("{ # none\n}\n", "{batchSize: 4 # none\n}\n")]
    [InlineData("deviceIds:\n  - 0\n  - 1\n\n# more\n", "deviceIds:\n  - 0\n  - 1\nbatchSize: 4\n\n# more\n")]
    [InlineData("---\ninstances: 1\n...\n", "---\ninstances: 1\nbatchSize: 4\n...\n")]
    [InlineData("handlerOptions:\n  text: |\n    batchSize: 9\n    more\ninstances: 1\n", "handlerOptions:\n  text: |\n    batchSize: 9\n    more\ninstances: 1\nbatchSize: 4\n")]
    public void A_key_finds_its_place(string text, string edited) => Assert.Equal(edited, Set(text, ("batchSize", "4")));

    [Theory]
    [InlineData("", "execution:\n  intraOpThreads: 3\n")]
    [InlineData("batchSize: 1\n", "batchSize: 1\nexecution:\n  intraOpThreads: 3\n")]
    [InlineData("execution:\nbatchSize: 1\n", "execution:\n  intraOpThreads: 3\nbatchSize: 1\n")]
    [InlineData("execution: {}\n", "execution: {intraOpThreads: 3}\n")]
    [InlineData("execution: {allowSpinning: true}\n", "execution: {allowSpinning: true, intraOpThreads: 3}\n")]
    [InlineData("execution: {\n  allowSpinning: true  # keep\n}\n", "execution: {\n  allowSpinning: true, intraOpThreads: 3  # keep\n}\n")]
    [InlineData("execution: {\r\n  allowSpinning: true, # keep\r\n  # more\r\n}\r\n", "execution: {\r\n  allowSpinning: true, intraOpThreads: 3 # keep\r\n  # more\r\n}\r\n")]
    [InlineData("execution:\n    intraOpThreads: 1 # one\n", "execution:\n    intraOpThreads: 3 # one\n")]
    public void A_key_of_a_section_finds_its_place(string text, string edited) => Assert.Equal(edited, Set(text, ("execution.intraOpThreads", "3")));

    [Theory]
    [InlineData("- 1\n")]
    [InlineData("just text\n")]
    [InlineData("batchSize: [1, 2]\n")]
    [InlineData("batchSize: |\n  1\n")]
    [InlineData("a: [\n")]
    public void What_cannot_be_changed_in_its_place_is_refused(string text) => Assert.Throws<NotSupportedException>(() => Set(text, ("batchSize", "4")));

    [Fact]
    public void Whatever_the_file_the_values_are_read_back_and_every_other_line_stays()
    {
        string[] lines = ["handler: tensor", "# comment", "", "instances: 3  # c", "preprocessing:\n  resize: 200", "execution:\n  allowSpinning: true\n", "deviceIds: [0, 1]", "warmup: {runs: 2}", "batchSize: 16", "handlerOptions:\n  a: 'x: y'  # z"];
        Gen.Shuffle(lines).SelectMany(shuffled => Gen.Int[0, lines.Length].Select(count => string.Join('\n', shuffled.Take(count)) + "\n")).Sample(text =>
        {
            var edited = Set(text, ("batchSize", "7"), ("execution.intraOpThreads", "5"));
            var read = ModelConfigurationReader.ReadText(edited, "test", new ServerConfiguration()).Configuration;
            Assert.Equal((7, 5), (read.BatchSize, read.Execution.IntraOpThreads));
            var before = ModelConfigurationReader.ReadText(text, "test", new ServerConfiguration()).Configuration;
            Assert.Equal((before.Instances, before.Preprocessing.Resize?.ToString(), before.Warmup, before.Execution.AllowSpinning), (read.Instances, read.Preprocessing.Resize?.ToString(), read.Warmup, read.Execution.AllowSpinning));
            foreach (var line in text.Split('\n').Where(line => !line.StartsWith("batchSize", StringComparison.Ordinal))) Assert.Contains(line, edited.Split('\n'));
        });
    }

    private static string Set(string text, params (string Key, string Value)[] values) => YamlEdit.Set(text, values.Select(value => KeyValuePair.Create(value.Key, value.Value)));
}
