using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Serve.Frontend.Commands;

/// <summary>A command with examples, which its own help shows and the list of commands does not.</summary>
internal sealed class DocumentedCommand(string name, string summary, string examples) : Command(name, summary)
{
    /// <summary>Command lines that work, one a line, and what else there is to say.</summary>
    public string Examples { get; } = examples;

    /// <summary>Has the help of every command below a root end with its examples.</summary>
    public static void ShowExamples(RootCommand root)
    {
        var help = root.Options.OfType<HelpOption>().Single();
        help.Action = new HelpWithExamples((SynchronousCommandLineAction)help.Action!);
    }

    private sealed class HelpWithExamples(SynchronousCommandLineAction help) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            var invocation = parseResult.InvocationConfiguration;
            var output = invocation.Output;
            using var text = new StringWriter();
            invocation.Output = text;
            var code = help.Invoke(parseResult);
            invocation.Output = output;
            output.Write(WithOptionalArguments(text.ToString(), parseResult.CommandResult.Command));
            if (parseResult.CommandResult.Command is not DocumentedCommand command) return code;

            output.WriteLine("Examples:");
            foreach (var line in command.Examples.Split('\n')) output.WriteLine($"  {line}".TrimEnd());
            output.WriteLine();
            return code;
        }

        // The library's list of commands shows all arguments as if they were needed.
        private static string WithOptionalArguments(string help, Command command)
        {
            foreach (var listed in command.Subcommands)
            {
                if (listed.Arguments is [{ Arity.MinimumNumberOfValues: 0 } optional]) help = help.Replace($"  {listed.Name} <{optional.Name}>  ", $"  {listed.Name} [<{optional.Name}>]", StringComparison.Ordinal);
            }

            return help;
        }
    }
}
