using Serve.Core.Models;
using Serve.Frontend.Commands;
using Serve.Frontend.Commands.Top;
using Serve.Management.Overview;
using Spectre.Console;

namespace Serve.Tests.Frontend.Commands.Top;

public sealed class TopViewTests
{
    [Theory]
    [InlineData(80)]
    [InlineData(120)]
    public void No_line_is_wider_than_the_terminal_and_all_columns_are_there(int width)
    {
        var lines = Draw(Busy(), TopOrder.Name, width);

        Assert.All(lines, line => Assert.True(line.TrimEnd().Length <= width, line));
        var header = Assert.Single(lines, line => line.StartsWith("Model", StringComparison.Ordinal));
        Assert.Equal(["Model", "State", "Req/s", "Err/s", "p50", "ms", "p99", "ms", "Queue", "Batch", "Headroom"], header.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains(lines, line => line.StartsWith("a-", StringComparison.Ordinal) && line.Contains("12,345", StringComparison.Ordinal) && line.Contains("28.5/32", StringComparison.Ordinal) && line.Contains("■···· ", StringComparison.Ordinal) && line.Contains("21%", StringComparison.Ordinal));
        Assert.Equal(width == 120, lines.Any(line => line.StartsWith("a-model-with-a-very-long-name/10.0*", StringComparison.Ordinal)));
        Assert.Contains(lines, line => line.StartsWith("9000", StringComparison.Ordinal) && line.Contains("Busy", StringComparison.Ordinal) && line.Contains("1234567", StringComparison.Ordinal) && line.Contains("1.5 GiB", StringComparison.Ordinal) && line.TrimEnd().EndsWith(" 3", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.Contains("worker 8999: it was killed", StringComparison.Ordinal));
        Assert.Contains("12,345 requests/s, 1.5 errors/s, 0 client errors/s", lines[1], StringComparison.Ordinal);
        Assert.StartsWith("gpu:0 ■■■■·  87% Tesla T4, 10 GiB of 16 GiB, 62 W", lines[4], StringComparison.Ordinal);
    }

    [Fact]
    public void Versions_are_sorted_as_asked()
    {
        Assert.Equal(["a", "b", "c"], Sorted(TopOrder.Name));
        Assert.Equal(["c", "a", "b"], Sorted(TopOrder.Requests));
        Assert.Equal(["b", "a", "c"], Sorted(TopOrder.P99));
        Assert.Equal(["b", "a", "c"], Sorted(TopOrder.Waiting));
        Assert.Equal(["c", "a", "b"], Sorted(TopOrder.Headroom)); // one whose headroom is not known comes last

        static IEnumerable<string> Sorted(TopOrder order) => TopRow.Of(Overview(
            ("a", Version("1.0") with { RequestsPerSecond = 5, P99Ms = 2, Queue = 1, HeadroomRatio = 0.5 }),
            ("b", Version("1.0") with { P99Ms = 9, Queue = 4 }),
            ("c", Version("1.0") with { RequestsPerSecond = 9, HeadroomRatio = -0.2 })), order).Select(row => row.Model);
    }

    [Fact]
    public void A_server_without_models_says_how_to_register_one() =>
        Assert.Contains(Draw(Overview(), TopOrder.Name, 80), line => line.Contains("serve register NAME", StringComparison.Ordinal));

    [Theory]
    [InlineData(5, true)]
    [InlineData(4.9, true)] // events come a little early
    [InlineData(4, false)]
    [InlineData(0, false)]
    [InlineData(-3600, true)] // the server's clock was set back
    public void It_is_drawn_again_after_the_interval(double seconds, bool isDue) =>
        Assert.Equal(isDue, TopCommand.IsDue(Overview() with { Time = DateTimeOffset.UnixEpoch.AddSeconds(seconds) }, DateTimeOffset.UnixEpoch, TimeSpan.FromSeconds(5)));

    private static OverviewBody Busy() => Overview(("a-model-with-a-very-long-name", Version("10.0") with
    {
        IsDefault = true,
        State = ModelState.Recovering,
        RequestsPerSecond = 12_345,
        ErrorsPerSecond = 1.5,
        P50Ms = 123.4,
        P99Ms = 1234.5,
        Queue = 1000,
        MeanBatch = 28.5,
        HeadroomRatio = 0.21,
        Restarts = 3,
        LastError = new OverviewError(DateTimeOffset.UnixEpoch, "worker 8999: it was killed (signal 9)"),
        Workers =
        [
            new OverviewWorker { Id = "9000", Pid = 1234567, State = WorkerState.Busy, Device = "gpu:0", MemoryBytes = 3L << 29, DeviceMemoryBytes = 5L << 30, DeviceBusyRatio = 0.97, InFlight = 64, StartedAt = DateTimeOffset.UnixEpoch, Restarts = 3 },
        ],
    })) with
    {
        RequestsPerSecond = 12_345,
        ErrorsPerSecond = 1.5,
        Devices =
        [
            new OverviewDevice { Device = "cpu", Name = "2 processors" },
            new OverviewDevice { Device = "gpu:0", Name = "Tesla T4", UtilizationRatio = 0.87, MemoryUsedBytes = 10L << 30, MemoryTotalBytes = 16L << 30, PowerWatts = 62 },
        ],
    };

    private static OverviewBody Overview(params (string Model, OverviewVersion Version)[] versions) => new()
    {
        Time = DateTimeOffset.UnixEpoch,
        UptimeSeconds = 100,
        Version = "1.2.3",
        InferenceAddress = "http://127.0.0.1:8080",
        Health = "Healthy",
        IntervalSeconds = 1,
        RequestsPerSecond = 0,
        ErrorsPerSecond = 0,
        ClientErrorsPerSecond = 0,
        InFlight = 0,
        Queue = 0,
        Devices = [],
        Models = [.. versions.Select(version => new OverviewModel { Name = version.Model, DefaultVersion = version.Version.Version, Versions = [version.Version] })],
    };

    private static OverviewVersion Version(string version) => new()
    {
        Version = version,
        IsDefault = false,
        State = ModelState.Ready,
        MinWorkers = 1,
        MaxWorkers = 1,
        RequestsPerSecond = 0,
        ErrorsPerSecond = 0,
        ClientErrorsPerSecond = 0,
        InFlight = 0,
        Queue = 0,
        QueueCapacity = 1000,
        BatchSize = 32,
        BatchSizes = [],
        StagesMs = new Dictionary<string, double>(),
        Workers = [],
        Restarts = 0,
    };

    private static string[] Draw(OverviewBody overview, TopOrder order, int width)
    {
        using var text = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(text), Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors });
        console.Profile.Width = width;
        console.Write(TopView.Draw(overview, order, width, "q leave"));
        return text.ToString().Split('\n');
    }
}
