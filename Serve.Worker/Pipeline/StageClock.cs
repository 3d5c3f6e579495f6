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
    private int _decoding;
    private int _ready;

    /// <summary>Batches that execute now.</summary>
    public int Executing { get; private set; }

    public long Batches { get; private set; }

    public long Rows { get; private set; }

    /// <summary>Time in which at least one batch executed, the present one included.</summary>
    public long BusyMicroseconds => Microseconds(DeviceState.Busy);

    /// <summary>More or fewer requests are to be decoded, or being decoded.</summary>
    public void AddDecoding(int change, long now)
    {
        _decoding += change;
        Change(now);
    }

    /// <summary>So many requests are ready for the device.</summary>
    public void SetReady(int requests, long now)
    {
        _ready = requests;
        Change(now);
    }

    /// <summary>A decode thread was busy with a request.</summary>
    public void AddDecode(long ticks) => _decodeTicks += ticks;

    public void BeginBatch(long now)
    {
        Executing++;
        Change(now);
    }

    public void EndBatch(int rows, long now)
    {
        Executing--;
        Batches++;
        Rows += rows;
        Change(now);
    }

    public StageMessage Measure(long encodeTicks, int decodeThreads, long copiedRows) => new(
        ToMicroseconds(time.GetTimestamp() - _started),
        Microseconds(DeviceState.Starved),
        Microseconds(DeviceState.Idle),
        ToMicroseconds(_decodeTicks),
        ToMicroseconds(encodeTicks),
        decodeThreads,
        copiedRows);

    private void Change(long now)
    {
        // Requests that are ready while nothing executes are on their way to the device: neither it nor decoding is to blame.
        var state = Executing > 0 ? DeviceState.Busy : _ready > 0 ? DeviceState.HandOver : _decoding > 0 ? DeviceState.Starved : DeviceState.Idle;
        if (state == _state) return;
        _ticks[(int)_state] += now - _since;
        (_state, _since) = (state, now);
    }

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
