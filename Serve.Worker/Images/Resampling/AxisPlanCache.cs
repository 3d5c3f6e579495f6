using Serve.Core.Configuration;

namespace Serve.Worker.Images.Resampling;

/// <summary>
/// The plans used last, by geometry. Bounded in number and bytes, because the sizes of pictures come from strangers.
/// Safe for all threads; a hit allocates nothing.
/// </summary>
internal sealed class AxisPlanCache(int maxPlans = 256, long maxBytes = 16 << 20)
{
    private readonly Lock _lock = new();

    // Both under _lock. The list's first node was used last.
    private readonly Dictionary<Key, LinkedListNode<(Key Key, AxisPlan Plan)>> _plans = [];
    private readonly LinkedList<(Key Key, AxisPlan Plan)> _byUse = new();
    private long _bytes;

    public int Count
    {
        get
        {
            lock (_lock)
                return _plans.Count;
        }
    }

    public long SizeBytes
    {
        get
        {
            lock (_lock)
                return _bytes;
        }
    }

    public AxisPlan Get(in AxisGeometry axis, Interpolation filter)
    {
        var key = new Key(axis.InputSize, axis.ResizedSize, axis.First, axis.Count, filter);
        lock (_lock)
        {
            if (_plans.TryGetValue(key, out var node))
            {
                if (node != _byUse.First)
                {
                    _byUse.Remove(node);
                    _byUse.AddFirst(node);
                }

                return node.Value.Plan;
            }
        }

        // Outside the lock: a plan takes up to a tenth of a millisecond, and two threads making the same one harm nobody.
        var plan = AxisPlan.Create(axis, filter);
        lock (_lock)
            Add(key, plan);
        return plan;
    }

    private void Add(in Key key, AxisPlan plan)
    {
        if (plan.SizeBytes > maxBytes || _plans.ContainsKey(key))
            return;

        _plans.Add(key, _byUse.AddFirst((key, plan)));
        _bytes += plan.SizeBytes;
        while (_plans.Count > maxPlans || _bytes > maxBytes)
        {
            var last = _byUse.Last!;
            _byUse.RemoveLast();
            _plans.Remove(last.Value.Key);
            _bytes -= last.Value.Plan.SizeBytes;
        }
    }

    private readonly record struct Key(int InputSize, int ResizedSize, int First, int Count, Interpolation Filter);
}
