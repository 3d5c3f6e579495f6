using Serve.Core.Protocol;

namespace Serve.Worker.Pipeline;

/// <summary>
/// What the device and the decoders did since the worker was ready, and why the device did nothing when it did nothing. Under
/// the lock of <see cref="PendingRequests"/>, which tells of every change.
/// </summary>
internal sealed class StageClock(TimeProvider time)
{
    private readonly long _started = time.GetTimestamp();
    private readonly long[] _ticks = new long[4];
    private DeviceState _state;
    private long _since = time.GetTimestamp();
    private long _decodeTicks;

    public long Batches { get; private set; }

    public long Rows { get; private set; }

    /// <summary>Time in which at least one batch executed, the present one included.</summary>
    public long BusyMicroseconds => Microseconds(DeviceState.Busy);

    /// <summary>Something changed.</summary>
    /// <param name="executing">Batches that execute.</param>
    /// <param name="ready">Requests that are ready for the device.</param>
    /// <param name="decoding">Requests that are being decoded, or wait to be.</param>
    /// <param name="now">The time.</param>
    public void Observe(int executing, int ready, int decoding, long now)
    {
        // Requests that are ready while nothing executes are on their way to the device: neither decoding nor the clients are
        // to blame for that.
        var state = executing > 0 ? DeviceState.Busy : ready > 0 ? DeviceState.HandOver : decoding > 0 ? DeviceState.Starved : DeviceState.Idle;
        if (state == _state) return;
        _ticks[(int)_state] += now - _since;
        (_state, _since) = (state, now);
    }

    /// <summary>A decode thread was busy with a request.</summary>
    public void AddDecode(long ticks) => _decodeTicks += ticks;

    /// <summary>A batch has executed.</summary>
    public void CountBatch(int rows)
    {
        Batches++;
        Rows += rows;
    }

    /// <summary>Adds what is known here to what is known elsewhere.</summary>
    public StageMessage Measure(StageMessage others) => others with
    {
        UpMicroseconds = ToMicroseconds(time.GetTimestamp() - _started),
        StarvedMicroseconds = Microseconds(DeviceState.Starved),
        IdleMicroseconds = Microseconds(DeviceState.Idle),
        DecodeMicroseconds = ToMicroseconds(_decodeTicks),
    };

    private long Microseconds(DeviceState state) => ToMicroseconds(_ticks[(int)state] + (_state == state ? time.GetTimestamp() - _since : 0));

    private long ToMicroseconds(long ticks) => (long)time.GetElapsedTime(0, ticks).TotalMicroseconds;

    private enum DeviceState
    {
        Idle,
        Starved,
        HandOver,
        Busy,
    }
}
