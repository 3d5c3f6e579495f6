using System.Net.Sockets;
using Microsoft.Extensions.Hosting.Systemd;
using Microsoft.Extensions.Logging;

namespace Serve.Frontend.Hosting;

/// <summary>
/// Tells systemd when the server listens and when it begins to stop, where it was started by a unit of <c>Type=notify</c>
/// (sd_notify(3)): what is ordered after the unit then finds the listeners.
/// </summary>
internal sealed partial class ServiceManager
{
    private const string Variable = "NOTIFY_SOCKET";

    private readonly SystemdNotifier _notifier = new();
    private readonly ILogger _log;

    public ServiceManager(ILogger log)
    {
        _log = log;

        // The notifier has read it. Workers, which run the code of models, speak for nobody.
        Environment.SetEnvironmentVariable(Variable, null);
    }

    /// <summary>Says in what state the server is; nothing where nobody asks.</summary>
    public void Tell(ServiceState state)
    {
        try
        {
            _notifier.Notify(state);
        }
        catch (SocketException e)
        {
            // Inherited from a service that has ended, for example: no reason not to serve.
            LogNobodyListens(_log, Variable, e.Message);
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "The service manager that {Variable} names does not listen: {Reason}")]
    private static partial void LogNobodyListens(ILogger log, string variable, string reason);
}
