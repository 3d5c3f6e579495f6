using System.Text;
using Serve.Core.Configuration;

namespace Serve.Tests.Fuzzing;

/// <summary>Whatever a configuration file has in it, it is read or refused with its problems: no other exception, no hang.</summary>
public sealed class YamlFuzzTests : IDisposable
{
    private const string Model = """
        # A comment
        handler: image_classifier
        minWorkers: 1
        maxWorkers: 4
        maxBatchDelay: 50ms
        deviceIds: [0, 1]
        preprocessing: &half
          resize: [256, 256]
          mean: [0.485, 0.456, 0.406]
          scale: 1/255
          formats:
            - jpeg
            - "png"
        execution: {providers: [cpu], graphOptimization: all, cudaOptions: {a: 'b', c: |
          text
        }}
        handlerOptions:
          again: *half
          text: >-
            folded
            text
        """;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_configuration_is_read_or_refused_with_its_problems()
    {
        byte[][] seeds = [Encoding.UTF8.GetBytes(Model), File.ReadAllBytes(Path.Combine(Repository.Root, "configs", "serve.yaml")), "a: [b, {c: d}]\ne: &f g\nh: *f\n"u8.ToArray()];
        byte[][] words =
        [
            .. ((string[])[": ", ":", "\n", "\r", "  ", "\t", "- ", "? ", "[", "]", "{", "}", ",", "&a ", "*a", "!!x ", "!<a>", "'", "\"", "|", ">", "|9", ">-", "%YAML 1.2\n", "%TAG ! x:\n", "---\n", "...\n", "#", " #", "<<", "null", "~", "1e999", "9223372036854775808", "\\x", "\\u0000", "\\UFFFFFFFF", "\uFEFF", "\u0085", "\u2028", "😀", "@", "`"]).Select(Encoding.UTF8.GetBytes),
            [0xC3, 0x28], [0xFF, 0xFE], [0xED, 0xA0, 0x80], [0],
        ];
        FuzzRun.Run(3000, random =>
        {
            var bytes = Mutator.Mutate(random, seeds[random.Next(seeds.Length)], seeds[random.Next(seeds.Length)], words);
            if (random.Next(10) == 0)
            {
                var file = _folder.Write("serve.yaml", bytes);
                Check(() => ServerConfigurationReader.Read(file));
                Check(() => ModelConfigurationReader.Read(file, new()));
                return;
            }

            var text = Encoding.UTF8.GetString(bytes);
            Check(() => ServerConfigurationReader.ReadText(text, "/serve.yaml"));
            Check(() => ModelConfigurationReader.ReadText(text, "model-config.yaml", new()));
        });
    }

    private static void Check(Action read)
    {
        try
        {
            read();
        }
        catch (ConfigurationException error)
        {
            Assert.NotEmpty(error.Problems);
            Assert.True(error.Message.Length < 1 << 20);
        }
    }
}
