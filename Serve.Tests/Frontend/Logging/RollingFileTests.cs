using System.Text;
using Microsoft.Extensions.Time.Testing;
using Serve.Frontend.Logging;

namespace Serve.Tests.Frontend.Logging;

public sealed class RollingFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("serve-rolling-").FullName;
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private readonly List<string> _told = [];

    private string Today => $"{_time.GetUtcNow():yyyy-MM-dd}";

    [Fact]
    public void A_file_that_would_become_too_large_is_put_aside_and_the_oldest_go()
    {
        using var file = Open(mostBytes: 10, mostFiles: 2);
        foreach (var line in (string[])["one", "two", "three", "four", "five", "six", "seven"]) Write(file, line);

        // "one\ntwo\n" has 8 bytes; "three\nfour\n" would have 11.
        Assert.Equal(["log", $"log.{Today}.2", $"log.{Today}.3"], Names());
        Assert.Equal(["six\nseven\n", "three\n", "four\nfive\n"], Names().Select(Read));
    }

    [Fact]
    public void A_day_has_a_file_of_its_own()
    {
        using var file = Open();
        Write(file, "today");
        var today = Today;
        _time.Advance(TimeSpan.FromDays(1));
        Write(file, "tomorrow");

        Assert.Equal(["log", $"log.{today}.1"], Names());
        Assert.Equal("tomorrow\n", Read("log"));
    }

    [Fact]
    public void A_restart_goes_on_in_the_same_file_and_leaves_others_alone()
    {
        File.WriteAllText(Path.Combine(_folder, "log.notes.log"), "");
        File.WriteAllText(Path.Combine(_folder, "log.2020-01-01.x.log"), "");
        File.WriteAllText(Path.Combine(_folder, "log.2020-01-01.7.log"), "old\n");
        using (var file = Open(mostBytes: 8, mostFiles: 1)) Write(file, "one");
        using (var file = Open(mostBytes: 8, mostFiles: 1))
        {
            Write(file, "two");
            Assert.Equal("one\ntwo\n", Read("log"));
            Write(file, "three");
        }

        Assert.Equal(["log", "log.2020-01-01.x", $"log.{Today}.1", "log.notes"], Names());
    }

    [Fact]
    public void Lines_that_come_together_are_split_where_a_file_is_full()
    {
        using var file = Open(mostBytes: 8, mostFiles: 5);
        Write(file, "one", "two", "six", "ten", "a line that is longer than a file", "end");
        Assert.Equal(["end\n", "one\ntwo\n", "six\nten\n", "a line that is longer than a file\n"], Names().Select(Read));
    }

    [Fact]
    public void A_full_disk_costs_lines_and_nothing_else()
    {
        if (!File.Exists("/dev/full")) Assert.Skip("There is no /dev/full.");
        var path = Path.Combine(_folder, "log.log");
        File.CreateSymbolicLink(path, "/dev/full");
        using var file = Open();
        Assert.Equal(2, file.Write("lost\ntoo\n"u8));
        Assert.Equal(1, file.Write("lost as well\n"u8));
        Assert.Contains("lines are lost", Assert.Single(_told), StringComparison.Ordinal);

        File.Delete(path);
        Write(file, "kept");
        Assert.Equal("kept\n", Read("log"));
        Assert.EndsWith("can be written again", _told[1], StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_that_is_gone_costs_lines_until_it_is_back()
    {
        using var file = Open();
        Write(file, "one");
        file.Dispose();
        Directory.Delete(_folder, recursive: true);
        Assert.Equal(1, file.Write("lost\n"u8));
        Directory.CreateDirectory(_folder);
        Write(file, "two");
        Assert.Equal("two\n", Read("log"));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private RollingFile Open(long mostBytes = 1000, int mostFiles = 3) => new(_folder, "log", mostBytes, mostFiles, _time, _told.Add);

    private static void Write(RollingFile file, params string[] lines) => Assert.Equal(0, file.Write(Encoding.UTF8.GetBytes(string.Concat(lines.Select(line => line + "\n")))));

    private string Read(string name) => File.ReadAllText(Path.Combine(_folder, name + ".log"));

    private IEnumerable<string> Names() => Directory.GetFiles(_folder).Select(path => Path.GetFileNameWithoutExtension(path)).Order(StringComparer.Ordinal);
}
