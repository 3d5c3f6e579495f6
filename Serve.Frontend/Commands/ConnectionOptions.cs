using System.CommandLine;
using Serve.Core.Configuration;
using Serve.Frontend.Hosting;

namespace Serve.Frontend.Commands;

/// <summary>Options of every command that talks to a running server: where it is, and whether a script reads the answer.</summary>
internal sealed class ConnectionOptions
{
    private readonly ServerFlags _flags = ServerFlags.OfConnection();
    private readonly Option<bool> _json = new("--json") { Description = "Print the server's JSON instead of text" };

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_json);
        _flags.AddTo(command);
    }

    /// <summary>Whether <c>--json</c> was given.</summary>
    public bool Json(ParseResult arguments) => arguments.GetValue(_json);

    /// <summary>The configuration that holds, for the folder and addresses in it.</summary>
    public ServerConfiguration Configuration(ParseResult arguments) => _flags.Read(arguments).Configuration;

    /// <summary>A client of the server that the options mean.</summary>
    public ServerClient Connect(ParseResult arguments)
    {
        var configuration = Configuration(arguments);
        var (inference, management) = (configuration.InferenceAddress, configuration.ManagementAddress);
        if (IsFree(inference) || IsFree(management))
        {
            // Port 0 says nothing about where the server is; what it has left in its folder does.
            var state = ServerState.FindOnly(ServerState.FolderOf(configuration));
            if (IsFree(inference)) inference = state?.InferenceAddress ?? inference;
            if (IsFree(management)) management = state?.ManagementAddress ?? management;
        }

        return new ServerClient(Listener.UrlOf(inference), Listener.UrlOf(management));
    }

    private static bool IsFree(string address) => ListenAddress.Parse(address, out _) is { Port: 0 };
}
