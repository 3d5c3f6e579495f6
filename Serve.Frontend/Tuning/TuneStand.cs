using Serve.Core.Configuration;
using Serve.Core.Models;
using Serve.Frontend.Commands.Bench;

namespace Serve.Frontend.Tuning;

/// <summary>
/// This machine as the tuner's: a store laid over the model, and a server for each setting that is to be loaded at once; made
/// when they are first needed, since results that are all known need none of them.
/// </summary>
internal sealed class TuneStand(ModelSource source, ServerConfiguration configuration, string modelStore, IReadOnlyList<RequestBody> data, CancellationToken cancellation) : ITuneMachine, IDisposable
{
    // A full server is what is measured, so nothing may be refused.
    private const int MaxQueueSize = 4 * TuneMeter.MostClients;

    private readonly List<TuneSeat> _seats = [];
    private readonly TuneMemory _memory = new(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
    private TuneOverlay? _overlay;

    /// <inheritdoc/>
    public bool HasRoomFor(IReadOnlyCollection<TuneSetting> settings) => settings.Count == 1 || _memory.Holds(settings.Sum(setting => setting.Workers));

    /// <inheritdoc/>
    /// <exception cref="OperationCanceledException">Somebody has ended it.</exception>
    public string? Load(TuneSetting setting, IReadOnlyCollection<TuneSetting> beside)
    {
        foreach (var seat in _seats.Where(seat => seat.Setting is { } loaded && loaded != setting && !beside.Contains(loaded))) seat.Unload();
        if (_seats.Exists(seat => seat.Setting == setting)) return null;
        return FreeSeat().Load(setting, MaxQueueSize, cancellation);
    }

    /// <inheritdoc/>
    /// <exception cref="OperationCanceledException">Somebody has ended it.</exception>
    public TuneTurn Run(TuneSetting setting, int clients, TuneStretch stretch)
    {
        var seat = _seats.Find(seat => seat.Setting == setting) ?? throw new InvalidOperationException($"{setting} is not loaded.");
        var turn = seat.Run(clients, stretch, cancellation);
        _memory.Learn(setting.Workers, turn.WorkerMemoryBytes, turn.DeviceMemoryBytes, turn.DeviceMemoryBytes is null ? null : seat.DeviceTotalBytes());
        return turn;
    }

    public void Dispose()
    {
        foreach (var seat in _seats) seat.Dispose();
        _overlay?.Dispose();
    }

    private TuneSeat FreeSeat()
    {
        if (_seats.Find(seat => seat.Setting is null) is { } free) return free;
        _overlay ??= TuneOverlay.Create(source, modelStore);
        var seat = new TuneSeat(_overlay, TuneServer.Start(_overlay.Store, configuration, cancellation), data);
        _seats.Add(seat);
        return seat;
    }
}
