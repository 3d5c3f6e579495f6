using System.Diagnostics;
using Serve.Frontend.Hosting;

namespace Serve.Tests.Frontend.Hosting;

/// <summary>What is found in the runtime folder decides which process is stopped, and who gets a token.</summary>
public sealed class ServerStateTests : IDisposable
{
    private const string Management = "http://127.0.0.1:8081";
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    // As the system's temporary folder: everybody can make folders in it.
    private const UnixFileMode Everybodys = Private | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute | UnixFileMode.StickyBit;

    private readonly TemporaryFolder _around = new();

    private string Folder => _around["run"];

    public void Dispose() => _around.Dispose();

    [Fact]
    public void A_server_is_found_by_the_file_that_it_has_left()
    {
        Assert.Null(ServerState.FindOnly(Folder));
        Assert.Null(ServerState.Find(Folder, Management));

        var path = OfThisProcess().Write(Folder);

        Assert.Equal(OfThisProcess().Pid, ServerState.FindOnly(Folder)?.Pid);
        Assert.Equal(OfThisProcess().Pid, ServerState.Find(Folder, Management)?.Pid);
        ServerState.Remove(path);
        Assert.Null(ServerState.FindOnly(Folder));
    }

    [Theory]
    [InlineData(UnixFileMode.OtherWrite)]
    [InlineData(UnixFileMode.GroupWrite)]
    [InlineData(UnixFileMode.OtherRead | UnixFileMode.OtherExecute)]
    public void Nothing_is_read_from_or_written_to_a_folder_that_is_open_to_others(UnixFileMode open)
    {
        if (OperatingSystem.IsWindows()) return;
        OfThisProcess().Write(Folder);
        File.SetUnixFileMode(Folder, Private | open);

        Refuses("is open to others; its mode must be 0700");
    }

    [Fact]
    public async Task Nothing_is_read_from_or_written_to_a_folder_that_somebody_else_has_made_where_everybody_may()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess, "Only root can make a folder of another user.");
        if (OperatingSystem.IsWindows()) return;
        OfThisProcess().Write(Folder);
        using var chown = Process.Start("chown", ["65534", Folder]);
        await chown.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, chown.ExitCode);

        // In a folder of root's own, somebody was given it.
        Assert.Equal(OfThisProcess().Pid, ServerState.FindOnly(Folder)?.Pid);

        File.SetUnixFileMode(_around.Path, Everybodys);
        Refuses("belongs to another user (65534)");
    }

    private static ServerState OfThisProcess()
    {
        using var self = Process.GetCurrentProcess();
        return new ServerState(self.Id, self.StartTime.ToUniversalTime(), "1.0", "http://127.0.0.1:8080", Management, "http://127.0.0.1:8082", null, null);
    }

    private void Refuses(string message)
    {
        foreach (var use in (Action[])[() => ServerState.FindOnly(Folder), () => ServerState.Find(Folder, Management), () => OfThisProcess().Write(Folder)])
        {
            Assert.Contains(message, Assert.Throws<IOException>(use).Message, StringComparison.Ordinal);
        }
    }
}
