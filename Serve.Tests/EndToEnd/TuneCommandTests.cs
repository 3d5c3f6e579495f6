using System.Diagnostics;
using System.Text.Json;

namespace Serve.Tests.EndToEnd;

/// <summary>The tuner with a fake device whose best setting leaves no doubt, on the smallest budget.</summary>
public sealed class TuneCommandTests
{
    private const string Configuration = """
        # the fake device
        batchSize: 1   # too small
        handlerOptions:
          batchMilliseconds: 10
          rowMilliseconds: 0.2
        """;

    private static readonly string Boot = Path.Combine(Repository.Root, "docs", "samples", "boot.png");

    [Fact]
    public async Task The_best_setting_is_found_and_written_and_a_second_run_has_nothing_to_measure()
    {
        using var store = new TemporaryFolder();
        var name = $"tuned-{Guid.NewGuid():n}";
        var folder = HandlerModels.Write(store.Path, name, "SleeperHandler", Configuration);
        var before = Directory.GetFiles(folder).ToDictionary(file => file, File.GetLastWriteTimeUtc);
        using var results = new TemporaryFolder();
        string[] command = ["tune", name, "--results", results.Path, "--model-store", store.Path, "--data", Boot, "--window", "150ms", "--batch-sizes", "1,8", "--instances", "1", "--workers", "1", "--delays", "adaptive"];

        var (code, text) = await Cli.RunAsync([.. command, "--write"]);
        Assert.True(code == 0, text);
        Assert.Contains("Best: batch 8, 1 worker:", text, StringComparison.Ordinal);
        Assert.Contains("What limits it:", text, StringComparison.Ordinal);
        var written = await File.ReadAllTextAsync(Path.Combine(folder, "model-config.yaml"), TestContext.Current.CancellationToken);
        Assert.Contains("batchSize: 8   # too small", written, StringComparison.Ordinal);
        Assert.Contains("# the fake device", written, StringComparison.Ordinal);
        foreach (var (file, time) in before.Where(file => !file.Key.EndsWith(".yaml", StringComparison.Ordinal))) Assert.Equal(time, File.GetLastWriteTimeUtc(file));

        (code, text) = await Cli.RunAsync([.. command, "--json"]);
        Assert.True(code == 0, text);
        Assert.Contains("Going on with", text, StringComparison.Ordinal);
        var report = JsonDocument.Parse(text[..(text.LastIndexOf('}') + 1)]).RootElement;
        Assert.Equal(8, report.GetProperty("best").GetProperty("setting").GetProperty("batchSize").GetInt32());
        Assert.False(report.GetProperty("wasInterrupted").GetBoolean());
    }

    [Fact]
    public async Task A_bound_that_nothing_keeps_is_told_and_nothing_is_written()
    {
        using var store = new TemporaryFolder();
        var name = $"bound-{Guid.NewGuid():n}";
        var folder = HandlerModels.Write(store.Path, name, "SleeperHandler", Configuration);
        var (code, text) = await Cli.RunAsync("tune", name, "--results", store.Path, "--model-store", store.Path, "--data", Boot, "--window", "100ms", "--batch-sizes", "1", "--instances", "1", "--workers", "1", "--delays", "adaptive", "--p99", "2ms", "--write");
        Assert.Equal(1, code);
        Assert.Contains("No setting is within p99 2 ms", text, StringComparison.Ordinal);
        Assert.DoesNotContain("Written", text, StringComparison.Ordinal);
        Assert.Contains("batchSize: 1   # too small", await File.ReadAllTextAsync(Path.Combine(folder, "model-config.yaml"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_that_is_interrupted_before_its_first_result_ends_as_after_a_signal()
    {
        if (!OperatingSystem.IsLinux()) return;
        using var store = new TemporaryFolder();
        HandlerModels.Write(store.Path, "m", "SleeperHandler", Configuration);
        string[] command = ["tune", "m", "--results", store["results"], "--model-store", store.Path, "--data", Boot, "--window", "60s"];
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "serve"), command) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await Eventually.HoldsAsync("it starts a server", () => Processes.ChildrenOf(process.Id).Count > 0);
        Signals.Interrupt(process.Id);
        var text = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 130, text + await errors);
        Assert.Contains("Interrupted: the same command goes on from here.", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, "Model not found", "none")]
    [InlineData(2, "--batch-sizes", "m", "--batch-sizes", "0,1")]
    [InlineData(2, "--workers", "m", "--workers", "many")]
    public async Task What_cannot_be_tuned_is_one_sentence(int code, string words, string model, params string[] more)
    {
        using var store = new TemporaryFolder();
        HandlerModels.Write(store.Path, "m", "SleeperHandler");
        var (actual, text) = await Cli.RunAsync(["tune", model, "--model-store", store.Path, "--data", Boot, .. more]);
        Assert.Contains(words, text, StringComparison.Ordinal);
        Assert.Equal(code, actual);
    }
}
