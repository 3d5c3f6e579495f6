using System.CommandLine;
using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Serve.Frontend.Hosting;

namespace Serve.Frontend.Commands;

/// <summary><c>serve stop</c>: asks the server of this user and management address to drain and end.</summary>
internal static partial class StopCommand
{
    private const int SigTerm = 15;
    private const int MostSeconds = 24 * 60 * 60;

    public static Command Create()
    {
        var connection = new ConnectionOptions();
        var timeout = new Option<int>("--timeout") { HelpName = "SECONDS", Description = "How long to wait for its end", DefaultValueFactory = _ => 60 };
        timeout.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 0 or > MostSeconds) result.AddError($"--timeout: give a number of seconds from 0 to {MostSeconds}.");
        });
        var force = new Option<bool>("--force") { Description = "Kill it if it has not ended by then" };
        var command = new DocumentedCommand("stop", "Stops the server: it finishes the requests it has accepted, stops its workers and ends.", """
            serve stop
            serve stop --config configs/serve.yaml --timeout 10 --force
            """) { timeout, force };
        connection.AddTo(command);
        command.SetAction(async (arguments, cancellation) =>
        {
            var configuration = connection.Configuration(arguments);
            var folder = ServerState.FolderOf(configuration);

            // Its file is named after where clients reach it: 127.0.0.1 for one that listens on *, 0.0.0.0, [::] or localhost.
            var state = ServerState.Find(folder, Listener.UrlOf(configuration.ManagementAddress)) ?? (configuration.ManagementAddress.EndsWith(":0", StringComparison.Ordinal) ? ServerState.FindOnly(folder) : null);
            if (state?.FindProcess() is not { } process)
            {
                throw new CommandException(ExitCode.Unreachable, $"No server of this user runs with the management address {configuration.ManagementAddress} (looked in {folder}).");
            }

            using (process)
            {
                await StopAsync(process, TimeSpan.FromSeconds(arguments.GetValue(timeout)), arguments.GetValue(force), cancellation);
            }

            var screen = new Screen(arguments.InvocationConfiguration.Output);
            if (connection.Json(arguments)) screen.Json($$"""{"status": "stopped", "pid": {{state.Pid}}}""");
            else screen.Line($"Stopped the server at {state.ManagementAddress} (process {state.Pid}).");
            return ExitCode.Success;
        });
        return command;
    }

    private static async Task StopAsync(Process process, TimeSpan timeout, bool force, CancellationToken cancellation)
    {
        Terminate(process);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(timeout);
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            if (!force) throw new CommandException(ExitCode.Failed, $"The server (process {process.Id}) has not ended within {timeout.TotalSeconds:0} s; it may still be finishing requests. Use --force to kill it.");
            process.Kill();
            await process.WaitForExitAsync(cancellation);
        }
    }

    private static void Terminate(Process process)
    {
        if (OperatingSystem.IsWindows())
        {
            process.Kill();
            return;
        }

        if (Kill(process.Id, SigTerm) != 0) throw new Win32Exception(Marshal.GetLastPInvokeError(), $"The server (process {process.Id}) could not be signalled");
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int pid, int signal);
}
