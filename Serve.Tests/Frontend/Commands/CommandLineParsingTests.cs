using System.CommandLine;
using Serve.Core.Configuration;
using Serve.Frontend.Commands;

namespace Serve.Tests.Frontend.Commands;

public sealed class CommandLineParsingTests
{
    [Fact]
    public void Every_key_of_the_server_has_a_flag()
    {
        var keys = typeof(ServerConfiguration).GetProperties()
            .Where(property => property.Name != "EqualityContract")
            .Select(property => char.ToLowerInvariant(property.Name[0]) + property.Name[1..])
            .Except(EnvironmentNames.SectionKeys.Select(key => key.Split('.')[0]))
            .Concat(EnvironmentNames.SectionKeys);
        Assert.Equal(keys.Order(), ServerFlags.All().FlagKeys.Order());
    }

    [Fact]
    public void Flags_override_the_defaults()
    {
        var flags = ServerFlags.All();
        var command = new Command("start");
        flags.AddTo(command);
        var read = flags.Read(command.Parse(["--inference-address", "http://127.0.0.1:9000", "--drain-timeout", "5s", "--access-log", "true"]));
        Assert.Equal("http://127.0.0.1:9000", read.Configuration.InferenceAddress);
        Assert.Equal(TimeSpan.FromSeconds(5), read.Configuration.DrainTimeout);
        Assert.True(read.Configuration.AccessLog);
    }

    [Theory]
    [InlineData("start --drain-timeout soon", 2, "drainTimeout")]
    [InlineData("start --no-such-flag", 2, "no-such-flag")]
    [InlineData("scale", 2, "MODEL")]
    [InlineData("scale m many", 2, "many")]
    [InlineData("nonsense", 2, "nonsense")]
    [InlineData("models --management-address http://127.0.0.1:1", 4, "No server answers at http://127.0.0.1:1")]
    [InlineData("models --management-address 127.0.0.1:1", 2, "managementAddress")]
    [InlineData("predict m no-such-file.png", 1, "no-such-file.png: there is no such file")]
    [InlineData("models create vit_huge", 1, "vit_huge")]
    [InlineData("stop --timeout -1", 2, "--timeout: give a number of seconds from 0 to 86400")]
    [InlineData("stop --timeout 9999999", 2, "--timeout: give a number of seconds")]
    [InlineData("token create --expires-in-days 99999999", 2, "--expires-in-days: give a number from 1 to 36525")]
    [InlineData("token create --expires-in-days -1", 2, "--expires-in-days: give a number")]
    [InlineData("bench m --url http://127.0.0.1:1", 2, "--url needs --data")]
    [InlineData("bench m --data . --header content-length:1", 2, "--header: content-length is decided by what is sent")]
    [InlineData("--version", 0, "0.1.0")]
    [InlineData("start --help", 0, "serve start --config configs/serve.yaml")]
    [InlineData("bench --help", 0, "TIME: 50ms, 1.5s, 2m; a whole number without a unit is seconds.")]
    [InlineData("models create --help", 0, "SERVE_MODEL_STORE")]
    [InlineData("tune m --data . --store no-such-store", 1, "Model not found at: m")]
    [InlineData("--help", 0, "unregister")]
    [InlineData("--help", 0, "  models [<NAME>]                Lists")]
    public async Task Exit_codes_and_messages_are_for_scripts_and_people(string line, int code, string text)
    {
        using var output = new StringWriter();
        Assert.Equal(code, await ServeCommandLine.RunAsync(line.Split(' '), output, output));
        Assert.Contains(text, output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_command_has_examples()
    {
        foreach (var command in ServeCommandLine.Create().Subcommands.SelectMany(command => command.Subcommands.Prepend(command)))
        {
            var documented = Assert.IsType<DocumentedCommand>(command);
            Assert.Contains($"serve ", documented.Examples, StringComparison.Ordinal);
            Assert.False(string.IsNullOrEmpty(documented.Description));
        }
    }

    [Theory]
    [InlineData("Model \"m\" Version: 2.0 registered with 0 initial workers. Use scale workers API to add workers for the model.", "Give it a worker with: serve scale m 1 --version 2.0")]
    [InlineData("Model \"m\" Version: 2.0 registered with 1 initial workers", null)]
    [InlineData("Processing worker updates...", null)]
    public void Who_registers_without_workers_is_told_how_to_start_one(string status, string? hint) => Assert.Equal(hint, RegisterCommand.WhatIsMissing(status));

    [Theory]
    [InlineData("""{"Ankle boot": 0.9, "Bag": 0.1}""", 2)]
    [InlineData("""{"a": 2}""", null)]
    [InlineData("""{"a": "b"}""", null)]
    [InlineData("[0.5]", null)]
    [InlineData("{}", null)]
    [InlineData("not json", null)]
    public void Only_labels_with_probabilities_are_shown_as_bars(string answer, int? count) => Assert.Equal(count, PredictCommand.Labels(answer)?.Count);
}
