using Serve.Core.Models;
using Serve.Frontend.Commands.Bench;

namespace Serve.Frontend.Tuning;

/// <summary>Overlay, server and meter together, made when the first setting is measured: results that are all known need none of them.</summary>
internal sealed class TuneStand(ModelSource source, string modelStore, IReadOnlyList<RequestBody> data, TimeSpan window, double? bound, int? clients) : IDisposable
{
    private TuneOverlay? _overlay;
    private TuneServer? _server;
    private TuneMeter? _meter;

    /// <summary>Measures a setting.</summary>
    /// <param name="setting">The setting.</param>
    /// <param name="effort">How well.</param>
    /// <param name="rival">The best so far: one that is hopeless beside it is not measured to the end. Null: it is.</param>
    /// <param name="cancellation">Ends it.</param>
    public TuneResult Measure(TuneSetting setting, TuneEffort effort, TuneResult? rival, CancellationToken cancellation)
    {
        _overlay ??= TuneOverlay.Create(source, modelStore);
        _server ??= TuneServer.Start(_overlay.Store, cancellation);
        _meter ??= new TuneMeter(_overlay, _server, data, window, bound, clients);
        return _meter.Measure(setting, effort, rival, cancellation);
    }

    public void Dispose()
    {
        _meter?.Dispose();
        _server?.Dispose();
        _overlay?.Dispose();
    }
}
