using System.Diagnostics;
using System.Globalization;
using Serve.Frontend.Commands;
using Serve.Frontend.Hosting;

namespace Serve.Tests.Frontend.Commands;

public sealed class StopCommandTests
{
    [Theory]
    [InlineData("http://127.0.0.1:8099")]
    [InlineData("http://localhost:8099/")]
    [InlineData("http://0.0.0.0:8099")]
    [InlineData("http://*:8099")]
    [InlineData("http://[::]:8099")]
    public async Task A_server_is_found_by_the_address_that_it_was_told_to_listen_on(string address)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Needs a program that a signal ends.");
        using var folder = new TemporaryFolder();
        using var server = Process.Start("sleep", "600");
        new ServerState(server.Id, server.StartTime.ToUniversalTime(), "1.0", "http://127.0.0.1:8098", Listener.UrlOf(address), "http://127.0.0.1:8097", null, null).Write(folder["run"]);

        using var output = new StringWriter();
        var code = await ServeCommandLine.RunAsync(["stop", "--management-address", address, "--runtime-folder", folder["run"]], output, output);

        if (code != 0) server.Kill();
        Assert.Equal((0, string.Create(CultureInfo.InvariantCulture, $"Stopped the server at http://127.0.0.1:8099 (process {server.Id}).")), (code, output.ToString().Trim()));
    }
}
