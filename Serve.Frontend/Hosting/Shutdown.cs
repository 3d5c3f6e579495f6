using System.Runtime.InteropServices;
using Serve.Core.Errors;

namespace Serve.Frontend.Hosting;

/// <summary>
/// When the server stops: the first SIGTERM or SIGINT asks it to drain, the second one ends it at once.
/// </summary>
internal sealed class Shutdown : IDisposable
{
    private const int ExitCodeOfSecondSignal = 130;

    private readonly TaskCompletionSource _requested = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<PosixSignalRegistration> _signals = [];
    private volatile bool _draining;

    /// <summary>Completes when the server should stop.</summary>
    public Task Requested => _requested.Task;

    /// <summary>Whether new requests are refused. Hot path.</summary>
    public bool IsDraining => _draining;

    /// <summary>Listens for the signals of a terminal, of systemd and of containers.</summary>
    public void HandleSignals()
    {
        foreach (var signal in (PosixSignal[])[PosixSignal.SIGTERM, PosixSignal.SIGINT, PosixSignal.SIGQUIT])
        {
            _signals.Add(PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = true;
                if (!_requested.TrySetResult()) Environment.Exit(ExitCodeOfSecondSignal);
            }));
        }
    }

    /// <summary>Asks the server to stop, as a signal does.</summary>
    public void Request() => _requested.TrySetResult();

    /// <summary>From now on new requests are refused.</summary>
    public void BeginDrain() => _draining = true;

    /// <summary>What a refused request is told.</summary>
    public static ServiceUnavailableException Refusal() => new("The server is stopping; it finishes what it has accepted and takes no new requests.", TimeSpan.FromSeconds(1));

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var signal in _signals) signal.Dispose();
    }
}
