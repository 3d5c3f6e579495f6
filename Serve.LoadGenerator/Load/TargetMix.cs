namespace Serve.LoadGenerator.Load;

/// <summary>
/// Which target and which of its requests comes next: smooth weighted round robin, so that each target has its share in any
/// stretch of the load, and two loads of the same mix are the same.
/// </summary>
internal sealed class TargetMix
{
    private readonly LoadTarget[] _targets;
    private readonly double[] _credits;
    private readonly int[] _next;
    private readonly double _total;

    /// <param name="targets">At least one, each with a request.</param>
    /// <param name="offset">How many requests of each to skip first: several threads do not send the same at once.</param>
    public TargetMix(IReadOnlyList<LoadTarget> targets, int offset = 0)
    {
        if (targets.Count == 0) throw new ArgumentException("There is nothing to ask for.", nameof(targets));
        foreach (var target in targets)
        {
            if (target.Requests.Count == 0) throw new ArgumentException($"There is no request for {target.Name}.", nameof(targets));
            if (!(target.Weight > 0) || double.IsInfinity(target.Weight)) throw new ArgumentException($"The weight of {target.Name} must be above 0.", nameof(targets));
        }

        _targets = [.. targets];
        _credits = new double[_targets.Length];
        _next = [.. _targets.Select(target => offset % target.Requests.Count)];
        _total = _targets.Sum(target => target.Weight);
    }

    /// <summary>The next request, and the number of its target.</summary>
    public (int Target, ReadOnlyMemory<byte> Request) Next()
    {
        var chosen = 0;
        for (var i = 0; i < _targets.Length; i++)
        {
            _credits[i] += _targets[i].Weight;
            if (_credits[i] > _credits[chosen]) chosen = i;
        }

        _credits[chosen] -= _total;
        var requests = _targets[chosen].Requests;
        var request = requests[_next[chosen]];
        if (++_next[chosen] == requests.Count) _next[chosen] = 0;
        return (chosen, request);
    }
}
