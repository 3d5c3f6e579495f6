using System.Diagnostics;

namespace Serve.Tests.EndToEnd;

/// <summary>Runs the built command as a user does.</summary>
internal static class Cli
{
    /// <returns>Exit code, and everything that was printed.</returns>
    public static Task<(int Code, string Text)> RunAsync(params string[] arguments) => RunAsync(new Dictionary<string, string>(), arguments);

    /// <summary>The same with variables of its own.</summary>
    public static async Task<(int Code, string Text)> RunAsync(IReadOnlyDictionary<string, string> variables, params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "serve.exe" : "serve"), arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in variables) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await process.WaitForExitAsync(patience.Token);
        return (process.ExitCode, await output + await errors);
    }

    /// <summary>Runs a command of a test's server.</summary>
    public static Task<(int Code, string Text)> RunAsync(this ServerFixture server, params string[] arguments) =>
        RunAsync([.. arguments, "--management-address", server.Management, "--inference-address", server.Inference, "--runtime-folder", server.RuntimeFolder]);
}
