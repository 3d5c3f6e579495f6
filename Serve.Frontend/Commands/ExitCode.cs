namespace Serve.Frontend.Commands;

/// <summary>What the command's exit code says to a script; docs/cli.md lists them.</summary>
internal static class ExitCode
{
    /// <summary>Done.</summary>
    public const int Success = 0;

    /// <summary>The server, or the work itself, answered with an error; the message says which.</summary>
    public const int Failed = 1;

    /// <summary>The command line or the configuration is wrong.</summary>
    public const int Usage = 2;

    /// <summary>A listener's address is taken or cannot be used.</summary>
    public const int CannotListen = 3;

    /// <summary>No server answers at the address.</summary>
    public const int Unreachable = 4;

    /// <summary><c>doctor</c>: the model loads, and something in it costs much on its device.</summary>
    public const int Findings = 5;

    /// <summary>A signal has ended it before it was done; what a shell expects after Ctrl-C.</summary>
    public const int Interrupted = 130;
}
