using System.CommandLine;
using Serve.Core.Configuration;
using Serve.Frontend.Hosting;

namespace Serve.Frontend.Commands;

/// <summary>Options of every command that talks to a running server: where it is, and whether a script reads the answer.</summary>
/// <param name="readsMetrics">Whether the command also reads the server's metrics.</param>
internal sealed class ConnectionOptions(bool readsMetrics = false)
{
    private readonly ServerFlags _flags = readsMetrics ? ServerFlags.OfMeasuring() : ServerFlags.OfConnection();
    private readonly CredentialOptions _credentials = new();
    private readonly Option<bool> _json = new("--json") { Description = readsMetrics ? "Print the figures as JSON instead of text" : "Print JSON instead of text" };

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_json);
        _credentials.AddTo(command);
        _flags.AddTo(command);
    }

    /// <summary>Whether <c>--json</c> was given.</summary>
    public bool Json(ParseResult arguments) => arguments.GetValue(_json);

    /// <summary>The configuration that holds, for the folder and addresses in it.</summary>
    public ServerConfiguration Configuration(ParseResult arguments) => _flags.Read(arguments).Configuration;

    /// <summary>Whether an address was given by its flag, rather than by a file, a variable or a default.</summary>
    public bool HasFlag(ParseResult arguments, string key) => _flags.HasFlag(arguments, key);

    /// <summary>How the command shows who it is.</summary>
    public ClientCredentials Credentials(ParseResult arguments) => _credentials.Read(arguments);

    /// <summary>A client of the server that the options mean.</summary>
    public ServerClient Connect(ParseResult arguments)
    {
        var server = Addresses(arguments);
        return new ServerClient(server.Inference, server.Management, Credentials(arguments));
    }

    /// <summary>Where the server that the options mean listens.</summary>
    public ServerAddresses Addresses(ParseResult arguments)
    {
        var configuration = Configuration(arguments);
        var (inference, management, metrics) = (configuration.InferenceAddress, configuration.ManagementAddress, configuration.MetricsAddress);
        if (IsFree(inference) || IsFree(management) || IsFree(metrics))
        {
            // Port 0 says nothing about where the server is; what it has left in its folder does.
            var state = ServerState.FindOnly(ServerState.FolderOf(configuration));
            if (IsFree(inference)) inference = state?.InferenceAddress ?? inference;
            if (IsFree(management)) management = state?.ManagementAddress ?? management;
            if (IsFree(metrics)) metrics = state?.MetricsAddress ?? metrics;
        }

        return new ServerAddresses(Listener.UrlOf(inference), Listener.UrlOf(management), Listener.UrlOf(metrics));
    }

    private static bool IsFree(string address) => ListenAddress.Parse(address, out _) is { Port: 0 };
}

/// <summary>Where a server listens.</summary>
internal sealed record ServerAddresses(string Inference, string Management, string Metrics);
