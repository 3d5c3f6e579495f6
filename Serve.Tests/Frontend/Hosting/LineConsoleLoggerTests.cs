using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Serve.Frontend.Hosting;

namespace Serve.Tests.Frontend.Hosting;

public sealed class LineConsoleLoggerTests
{
    [Theory]
    [InlineData("fashion-vit/1.0", "fashion-vit/1.0")]
    [InlineData("Serve.Frontend.Hosting.ServeHost", "ServeHost")]
    public void An_event_is_a_line_with_time_level_and_category(string category, string shown) =>
        Assert.Equal($"2026-01-02T03:04:05.006Z info  {shown}: hello\n", Write(category, log => log.LogInformation("hello")));

    [Fact]
    public void Nothing_can_forge_a_line_or_move_the_cursor() =>
        Assert.Equal("2026-01-02T03:04:05.006Z warn  x: a\\nb?[2Jc d\n", Write("x", log => log.LogWarning("{Name}", "a\r\nb\e[2Jc\td")));

    [Fact]
    public void An_exception_is_on_the_same_line()
    {
        var text = Write("x", log => log.LogError(new InvalidOperationException("first\nsecond"), "failed"));
        Assert.StartsWith("2026-01-02T03:04:05.006Z error x: failed: System.InvalidOperationException: first\\nsecond", text, StringComparison.Ordinal);
        Assert.Equal(1, text.Count(letter => letter == '\n'));
    }

    private static string Write(string category, Action<ILogger> write)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using (var provider = new LineConsoleLoggerProvider(new FakeTimeProvider(new DateTimeOffset(2026, 1, 2, 3, 4, 5, 6, TimeSpan.Zero)), output, colours: false)) write(provider.CreateLogger(category));
        return output.ToString();
    }
}
