using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using Serve.Core.Workers;
using Serve.Tests.EndToEnd;

namespace Serve.Tests.Core.Workers;

public sealed class WorkerProcessTests
{
    [Theory]
    [InlineData("exit 3", "it exited with code 3", false)]
    [InlineData("kill -9 $$", "it was killed (signal 9)", true)]
    [InlineData("kill -11 $$", "it crashed (signal 11, segmentation fault)", false)]
    [InlineData("kill -6 $$", "it aborted (signal 6)", false)]
    [InlineData("kill -15 $$", "it ended by signal 15", false)]
    public async Task How_it_ended_is_told_in_words(string command, string words, bool wasKilled)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Signals are Unix's.");
        using var process = Start(command);
        Assert.Equal(new ProcessEnd(words, wasKilled), await process.EndsSoonAsync());
        Assert.True(process.Exited.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task One_that_was_never_started_has_no_end()
    {
        using var process = new WorkerProcess("w", TimeProvider.System, NullLogger.Instance);
        process.Kill();
        Assert.False(process.IsStarted);
        Assert.Null(await process.EndsSoonAsync());
    }

    [Fact]
    public async Task One_that_goes_on_is_killed_even_if_it_was_stopped()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Signals are Unix's.");
        using var process = Start("kill -STOP $$; exit 1", out var pid);
        await Eventually.HoldsAsync("it is stopped", () => File.ReadAllText($"/proc/{pid}/stat").Contains(") T ", StringComparison.Ordinal));
        process.Kill();
        await process.Exited;
        Assert.True((await process.EndsSoonAsync())!.Value.WasKilled);
        process.Kill();
    }

    private static WorkerProcess Start(string command) => Start(command, out _);

    private static WorkerProcess Start(string command, out int pid)
    {
        var process = new WorkerProcess("w", TimeProvider.System, NullLogger.Instance);
        var shell = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", command]))!;
        pid = shell.Id;
        process.Started(shell);
        return process;
    }
}
