using System.ComponentModel;
using System.Diagnostics;

namespace Serve.Tests.Monitoring;

/// <summary>Prometheus's own tool, of Debian's package prometheus.</summary>
internal static class Promtool
{
    /// <summary>Runs it, or skips the test where it is not installed.</summary>
    /// <returns>Its exit code and all that it says.</returns>
    public static async Task<(int ExitCode, string Output)> RunAsync(params string[] arguments)
    {
        using var process = Start(arguments);
        Assert.SkipWhen(process is null, "promtool is not installed (Debian's package prometheus has it).");
        var (output, errors) = (process!.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output + await errors);
    }

    private static Process? Start(string[] arguments)
    {
        try
        {
            return Process.Start(new ProcessStartInfo("promtool", arguments) { RedirectStandardOutput = true, RedirectStandardError = true });
        }
        catch (Win32Exception)
        {
            return null;
        }
    }
}
