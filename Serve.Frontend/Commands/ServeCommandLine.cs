using System.CommandLine;
using System.CommandLine.Invocation;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Observability;
using Serve.Frontend.Hosting;

namespace Serve.Frontend.Commands;

/// <summary>The command line: its commands, and what becomes of their failures.</summary>
internal static class ServeCommandLine
{
    public static string Version => ServeVersion.Text;

    /// <summary>Runs one command.</summary>
    /// <returns>One of <see cref="ExitCode"/>.</returns>
    public static async Task<int> RunAsync(string[] arguments, TextWriter output, TextWriter errors)
    {
        var parsed = Create().Parse(arguments);

        // Signals are the commands' own business: `start` drains, and those that would leave something behind take an Interruption.
        var invocation = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null, Output = output, Error = errors };
        try
        {
            var code = await parsed.InvokeAsync(invocation);

            // Who asks for help gives no arguments, and that is no error.
            return parsed.Action is ParseErrorAction ? ExitCode.Usage : code;
        }
        catch (CommandException e)
        {
            await errors.WriteLineAsync(e.Message);
            return e.ExitCode;
        }
        catch (ConfigurationException e)
        {
            await errors.WriteLineAsync(e.Message);
            return ExitCode.Usage;
        }
        catch (ListenException e)
        {
            await errors.WriteLineAsync(e.Message);
            return ExitCode.CannotListen;
        }
        catch (ServeException e)
        {
            await errors.WriteLineAsync(e.Message);
            return ExitCode.Failed;
        }
        catch (OperationCanceledException)
        {
            await errors.WriteLineAsync("Interrupted.");
            return ExitCode.Interrupted;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            await errors.WriteLineAsync(e.Message);
            return ExitCode.Failed;
        }
    }

    internal static RootCommand Create()
    {
        var root = new RootCommand("Serve: model serving with dynamic batching, compatible with TorchServe's API.")
        {
            StartCommand.Create(),
            StopCommand.Create(),
            StatusCommand.Create(),
            TopCommand.Create(),
            PredictCommand.Create(),
            ModelsCommand.Create(),
            RegisterCommand.Create(),
            ScaleCommand.Create(),
            SetDefaultCommand.Create(),
            UnregisterCommand.Create(),
            ArchiveCommand.Create(),
            ImportConfigCommand.Create(),
            TokenCommand.Create(),
            DoctorCommand.Create(),
            BenchCommand.Create(),
            TuneCommand.Create(),
        };
        DocumentedCommand.ShowExamples(root);
        return root;
    }
}
