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
            var code = help.Invoke(parseResult);
            if (parseResult.CommandResult.Command is not DocumentedCommand command) return code;

            var output = parseResult.InvocationConfiguration.Output;
            output.WriteLine("Examples:");
            foreach (var line in command.Examples.Split('\n')) output.WriteLine($"  {line}".TrimEnd());
            output.WriteLine();
            return code;
        }
    }
}
