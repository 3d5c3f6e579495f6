namespace Serve.Frontend.Commands;

/// <summary>A command ends here: the message is all that a user needs, the exit code all that a script needs.</summary>
internal sealed class CommandException(int exitCode, string message) : Exception(message)
{
    public int ExitCode { get; } = exitCode;
}
