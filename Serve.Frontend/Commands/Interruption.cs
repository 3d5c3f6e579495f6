using System.Runtime.InteropServices;

namespace Serve.Frontend.Commands;

/// <summary>
/// Ctrl-C and SIGTERM as a wish to end early with what there is: the first one cancels, a second one ends the process as
/// usual.
/// </summary>
internal sealed class Interruption : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _signals;

    public Interruption()
    {
        _signals = [PosixSignalRegistration.Create(PosixSignal.SIGINT, Handle), PosixSignalRegistration.Create(PosixSignal.SIGTERM, Handle)];
    }

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => _source.Token;

    public void Dispose()
    {
        foreach (var signal in _signals) signal.Dispose();
        _source.Dispose();
    }

    private void Handle(PosixSignalContext signal)
    {
        if (_source.IsCancellationRequested) return;
        signal.Cancel = true;
        _source.Cancel();
    }
}
