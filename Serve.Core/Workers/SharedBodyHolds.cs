using System.Runtime.InteropServices;
using Serve.Core.Memory;

namespace Serve.Core.Workers;

/// <summary>
/// The bodies that one worker may still be reading where they lie, by the requests that they belong to. Safe from any thread.
/// </summary>
/// <param name="bodies">What the worker reads.</param>
internal sealed class SharedBodyHolds(SharedBodies bodies)
{
    private readonly Lock _gate = new();

    // A request that was given back may be sent again before the worker has said that it does not read it any longer.
    private readonly Dictionary<ulong, (SharedBody Body, int Times)> _held = [];
    private bool _isClosed;

    /// <summary>A request is about to be sent to the worker.</summary>
    /// <param name="id">The request's id.</param>
    /// <param name="body">Its body.</param>
    /// <returns>False: it lies elsewhere, or the worker is gone.</returns>
    public bool TryHold(ulong id, SharedBody body)
    {
        if (body.Owner != bodies) return false;
        lock (_gate)
        {
            if (_isClosed) return false;

            // Before it can be seen here: whoever sees it may release it at once.
            body.Hold();
            ref var held = ref CollectionsMarshal.GetValueRefOrAddDefault(_held, id, out _);
            held = (body, held.Times + 1);
            return true;
        }
    }

    /// <summary>The worker reads a request's body no longer. What it does not hold is ignored.</summary>
    public void Release(ulong id)
    {
        SharedBody body;
        lock (_gate)
        {
            if (!_held.TryGetValue(id, out var held)) return;
            body = held.Body;
            if (held.Times == 1) _held.Remove(id);
            else _held[id] = (body, held.Times - 1);
        }

        body.Release();
    }

    /// <summary>The worker's process is gone; as long as it is there, it may read, whatever became of its socket.</summary>
    public void Close()
    {
        List<(SharedBody Body, int Times)> left;
        lock (_gate)
        {
            _isClosed = true;
            left = [.. _held.Values];
            _held.Clear();
        }

        foreach (var (body, times) in left) for (var i = 0; i < times; i++) body.Release();
    }
}
