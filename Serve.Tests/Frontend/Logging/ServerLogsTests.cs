using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Serve.Core.Configuration;
using Serve.Core.Observability;
using Serve.Frontend.Logging;

namespace Serve.Tests.Frontend.Logging;

public sealed class ServerLogsTests : IDisposable
{
    private static readonly EventId Worker = new(1, LogEventNames.WorkerOutput);

    private readonly string _folder = Directory.CreateTempSubdirectory("serve-logs-").FullName;
    private readonly LogLevelSwitch _level = new("information");
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, 6, TimeSpan.Zero));

    [Theory]
    [InlineData("fashion-vit/1.0", "fashion-vit/1.0")]
    [InlineData("Serve.Frontend.Hosting.ServeHost", "ServeHost")]
    public void An_event_is_a_line_with_time_level_and_category(string category, string shown) =>
        Assert.Equal($"2026-01-02T03:04:05.006Z info  {shown}: hello\n", Write(new(), category, log => log.LogInformation("hello")));

    [Fact]
    public void Nothing_can_forge_a_line_or_move_the_cursor()
    {
        Assert.Equal("2026-01-02T03:04:05.006Z warn  x: a\\nb?[2Jc d\n", Write(new(), "x", log => log.LogWarning("{Name}", "a\r\nb\e[2Jc\td")));
        var json = Write(new() { Format = "json" }, "x", log => log.LogWarning("{Name}", "a\r\nb\"\e[2J"));
        Assert.Equal("a\r\nb\"\e[2J", JsonDocument.Parse(Assert.Single(json.TrimEnd('\n').Split('\n'))).RootElement.GetProperty("name").GetString());
    }

    [Fact]
    public void An_exception_is_on_the_same_line()
    {
        var text = Write(new(), "x", log => log.LogError(new InvalidOperationException("first\nsecond"), "failed"));
        Assert.StartsWith("2026-01-02T03:04:05.006Z error x: failed: System.InvalidOperationException: first\\nsecond", text, StringComparison.Ordinal);
        Assert.Equal(1, text.Count(letter => letter == '\n'));
    }

    [Fact]
    public void As_json_an_event_has_the_values_of_its_message()
    {
        var line = JsonDocument.Parse(Write(new() { Format = "json" }, "x", log => log.LogWarning("{Worker} took {Milliseconds}; {Message}", "9000", 12L, "not the message"))).RootElement;
        Assert.Equal(["time", "level", "logger", "message", "worker", "milliseconds"], line.EnumerateObject().Select(field => field.Name));
        Assert.Equal(("warning", "9000 took 12; not the message", 12), (line.GetProperty("level").GetString(), line.GetProperty("message").GetString(), line.GetProperty("milliseconds").GetInt32()));
    }

    [Fact]
    public void The_level_can_be_changed_while_it_runs()
    {
        Assert.Equal("", Write(new(), "x", log => log.LogDebug("hidden")));
        Assert.EndsWith("debug x: shown\n", Write(new(), "x", log =>
        {
            _level.Minimum = LogLevel.Debug;
            log.LogDebug("shown");
            _level.Minimum = LogLevel.Error;
            log.LogWarning("hidden");
        }), StringComparison.Ordinal);
    }

    [Fact]
    public void Each_event_goes_to_its_file()
    {
        var console = Write(new() { Folder = _folder, AccessFormat = "torchserve" }, "m/1.0", log =>
        {
            LogAccess(log);
            log.Log(LogLevel.Warning, Worker, "worker 9000: hot", null, (state, _) => state);
            log.LogInformation("ready");
        });

        Assert.Equal("2026-01-02T03:04:05.006Z info  m/1.0: ready\n", console);
        Assert.Equal(console, Read("ts_log"));
        Assert.Equal("2026-01-02T03:04:05.006Z warn  m/1.0: worker 9000: hot\n", Read("model_log"));
        Assert.Equal("2026-01-02T03:04:05,006 - /127.0.0.1:4711 \"POST /predictions/m HTTP/1.1\" 200 12\n", Read("access_log"));
    }

    [Fact]
    public void The_access_log_has_the_requests_id()
    {
        Assert.EndsWith("info  m/1.0: 127.0.0.1:4711 \"POST /predictions/m HTTP/1.1\" 200 12 my-id\n", Write(new(), "m/1.0", LogAccess), StringComparison.Ordinal);
        Assert.Equal(
            """{"time":"2026-01-02T03:04:05.006Z","level":"information","logger":"m/1.0","message":"127.0.0.1:4711 \"POST /predictions/m HTTP/1.1\" 200 12 my-id","client":"127.0.0.1:4711","method":"POST","target":"/predictions/m","protocol":"HTTP/1.1","status":200,"milliseconds":12,"requestId":"my-id"}""",
            Write(new() { Format = "json", AccessFormat = "torchserve" }, "m/1.0", LogAccess).TrimEnd());
        Assert.EndsWith(" \"gRPC /s/M HTTP/2\" 0 3 my-id\n", Write(new(), "m/1.0", log => new AccessLine(IPAddress.IPv6Loopback, 1, null, "/s/M", "HTTP/2", 0, 3, "my-id", _time.GetTimestamp()).LogTo(log)), StringComparison.Ordinal);
        Assert.EndsWith(" \"GET /a\\n?\u00e4 HTTP/1.1\" 404 0 my-id\n", Write(new(), "m/1.0", log => new AccessLine(IPAddress.Loopback, 1, "GET", "/a\n\u0085\u00e4", "HTTP/1.1", 404, 0, "my-id", _time.GetTimestamp()).LogTo(log)), StringComparison.Ordinal);
        Assert.Matches("^2026-01-02T03:04:05,006 - /127", Write(new() { AccessFormat = "torchserve" }, "m/1.0", LogAccess));
    }

    [Fact]
    public void Two_servers_cannot_write_into_one_folder()
    {
        using var output = new StringWriter();
        using var first = Open(new() { Folder = _folder }, output);
        Assert.Contains(_folder, Assert.Throws<IOException>(() => Open(new() { Folder = _folder }, output)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_an_output_cannot_keep_up_with_is_dropped_and_told_of()
    {
        var output = new GatedOutput();
        using (var queue = new LineQueue(output, "test", (text, line) => line.Append("WARNING "u8).Append(text)))
        {
            queue.Add("first"u8);
            output.Entered.Wait(TestContext.Current.CancellationToken);
            for (var i = 0; i < 12_000; i++) queue.Add("more"u8);
            output.Gate.Set();
        }

        Assert.Equal("first", output.Lines[0]);
        Assert.Equal(10_000, output.Lines.Count(line => line == "more"));
        Assert.Equal("WARNING 2000 lines were dropped: the output was too slow", Assert.Single(output.Lines, line => line.StartsWith("WARNING", StringComparison.Ordinal)));
    }

    [Fact]
    public void An_output_that_takes_nothing_any_more_does_not_hold_up_the_end()
    {
        var output = new GatedOutput();
        var queue = new LineQueue(output, "test", (text, line) => line.Append(text));
        queue.Add("first"u8);
        output.Entered.Wait(TestContext.Current.CancellationToken);

        // Returns, which is what is tested; the thread is one of the background.
        queue.Dispose();
        output.Gate.Set();
    }

    [Fact]
    public void A_few_lines_that_are_very_long_are_dropped_too()
    {
        var output = new GatedOutput();
        using (var queue = new LineQueue(output, "test", (text, line) => line.Append(text)))
        {
            queue.Add("first"u8);
            output.Entered.Wait(TestContext.Current.CancellationToken);
            var line = new byte[1 << 20];
            line.AsSpan().Fill((byte)'x');
            for (var i = 0; i < 20; i++) queue.Add(line);
            output.Gate.Set();
        }

        Assert.Equal(["first", .. Enumerable.Repeat(new string('x', 1 << 20), 15), "5 lines were dropped: the output was too slow"], output.Lines);
    }

    [Fact]
    public void A_full_disk_behind_standard_output_costs_lines_and_not_the_log()
    {
        var full = new IOException("No space left on device") { HResult = 28 };
        using var writer = new FailingWriter { Error = full };
        using var output = new ConsoleOutput(writer);
        Assert.Equal(2, output.Write("one\ntwo\n"u8));
        Assert.False(output.IsClosed);

        writer.Error = null;
        Assert.Equal(0, output.Write("three\n"u8));
        writer.Error = new IOException("Broken pipe") { HResult = 32 };
        Assert.Equal(1, output.Write("four\n"u8));
        Assert.True(output.IsClosed);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private void LogAccess(ILogger log) => new AccessLine(IPAddress.Loopback, 4711, "POST", "/predictions/m", "HTTP/1.1", 200, 12, "my-id", _time.GetTimestamp()).LogTo(log);

    private string Read(string log) => File.ReadAllText(Path.Combine(_folder, log + ".log"));

    private string Write(LoggingConfiguration logging, string category, Action<ILogger> write)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using (var logs = Open(logging, output)) write(logs.CreateLogger(category));
        return output.ToString();
    }

    private ServerLogs Open(LoggingConfiguration logging, StringWriter output) =>
        new(logging, _level, _time, output, colours: false);

    private sealed class GatedOutput : ILineOutput
    {
        public ManualResetEventSlim Entered { get; } = new();

        public ManualResetEventSlim Gate { get; } = new();

        public List<string> Lines { get; } = [];

        public bool IsClosed => false;

        public int Write(ReadOnlySpan<byte> lines)
        {
            Lines.AddRange(Encoding.UTF8.GetString(lines).TrimEnd('\n').Split('\n'));
            Entered.Set();
            Gate.Wait();
            return 0;
        }

        public void Dispose()
        {
            Entered.Dispose();
            Gate.Dispose();
        }
    }

    private sealed class FailingWriter : StringWriter
    {
        public IOException? Error { get; set; }

        public override void Write(string? value)
        {
            if (Error is not null) throw Error;
            base.Write(value);
        }
    }
}
