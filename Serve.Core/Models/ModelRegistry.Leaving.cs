namespace Serve.Core.Models;

/// <summary>Versions that take no new requests any more: they finish what they have, and go.</summary>
public sealed partial class ModelRegistry
{
    /// <summary>Each with the task that ends when it is gone. A stop waits for them, as for those in the table.</summary>
    private readonly Dictionary<ModelVersion, Task> _leaving = [];

    /// <summary>Requests whose answer is not written yet, of all versions that are registered or leave, or did when the server stopped.</summary>
    public int RequestsInFlight
    {
        get
        {
            // Those of one name and version count together.
            lock (_gate) return _table.Versions.Concat(_leaving.Keys).Select(static version => version.Metrics).Distinct().Sum(static metrics => metrics.InFlight);
        }
    }

    /// <summary>Takes a version out of the table.</summary>
    /// <param name="version">The version.</param>
    /// <param name="limit">How long it may take over what it has accepted.</param>
    /// <returns>Completes when it is gone.</returns>
    private Task Remove(ModelVersion version, TimeSpan limit)
    {
        lock (_gate)
        {
            if (!_table.Remove(version)) return _leaving.GetValueOrDefault(version, Task.CompletedTask);
            _managed.Unregister(version.Name, version.Version, version.ComesBack);
            Log.Unregistered(_log, version.Name, version.Version);
            return Leave(version, limit);
        }
    }

    // Under the gate; the work is done elsewhere.
    private Task Leave(ModelVersion version, TimeSpan limit)
    {
        if (!_leaving.TryGetValue(version, out var left)) _leaving[version] = left = Task.Run(() => LeaveAsync(version, limit));
        return left;
    }

    private async Task LeaveAsync(ModelVersion version, TimeSpan limit)
    {
        await version.DrainAsync(limit, _time).ConfigureAwait(false);
        version.Source.Dispose();
        lock (_gate)
        {
            version.RemoveMetrics([.. Namesakes(version.Name, version.Version).Where(other => other != version)]);

            // The last answers may not be written yet, and a stop waits for them.
            if (!_isDisposed) _leaving.Remove(version);
        }
    }

    private async Task DiscardAsync(ModelVersion version, Task left)
    {
        await left.ConfigureAwait(false);
        _opener.Discard(version.Source);
    }

    // Under the gate. All versions of a name and version have the same series: the last one takes them away.
    private IEnumerable<ModelVersion> Namesakes(string model, string version) =>
        _table.Versions.Concat(_replacements).Concat(_leaving.Keys).Where(other => other.Name == model && other.Version == version);

    // Under the gate. The version goes on with their series; what comes to them yet is for it.
    private void TakeOver(ModelVersion version)
    {
        foreach (var before in _leaving.Keys.Where(leaving => leaving.Name == version.Name && leaving.Version == version.Version)) before.LeaveTo(version);
        version.Publish();
    }
}
