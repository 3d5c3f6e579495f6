namespace Serve.Core.Models.Snapshots;

/// <summary>
/// What the management API has changed, beside what is registered: which models it touched, what it unregistered, and what
/// a snapshot has that is not registered again yet (the server still starts, or a file is missing). The registry's lock
/// guards it.
/// </summary>
internal sealed class ManagedState
{
    private readonly HashSet<string> _changed = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Model, string Version), VersionSnapshot> _waiting = [];
    private readonly Dictionary<string, string> _waitingDefaults = new(StringComparer.Ordinal);
    private readonly HashSet<(string Model, string Version)> _unregistered = [];

    /// <summary>What a snapshot has, all of it waiting to be registered.</summary>
    public ManagedState(RegistrySnapshot? snapshot)
    {
        foreach (var model in snapshot?.Models ?? [])
        {
            _changed.Add(model.Name);
            foreach (var version in model.Versions ?? []) _waiting[(model.Name, version.Version)] = version;
            foreach (var version in model.Unregistered ?? []) _unregistered.Add((model.Name, version));
            if (model.Default is { } chosen) _waitingDefaults[model.Name] = chosen;
        }
    }

    /// <summary>What waits to be registered again: each model's default first, so that no request goes to another meanwhile, the rest in version order.</summary>
    public IReadOnlyList<(string Model, VersionSnapshot Version)> Waiting =>
    [
        .. _waiting
            .OrderBy(pair => pair.Key.Model, StringComparer.Ordinal)
            .ThenBy(pair => _waitingDefaults.GetValueOrDefault(pair.Key.Model) != pair.Key.Version)
            .ThenBy(pair => pair.Key.Version, VersionOrder.Instance)
            .Select(pair => (pair.Key.Model, pair.Value)),
    ];

    /// <summary>Whether the management API has changed the model: then its default stays what it was.</summary>
    public bool IsChanged(string model) => _changed.Contains(model);

    /// <summary>Whether a version was unregistered, and not registered since.</summary>
    public bool IsUnregistered(string model, string version) => _unregistered.Contains((model, version));

    /// <summary>Whether a version waits to be registered again.</summary>
    public bool IsWaiting(string model, string version) => _waiting.ContainsKey((model, version));

    /// <summary>A version is registered, by whomever.</summary>
    /// <returns>Whether it is the one that a snapshot says is the default.</returns>
    public bool Registered(string model, string version)
    {
        _waiting.Remove((model, version));
        _unregistered.Remove((model, version));
        return _waitingDefaults.TryGetValue(model, out var chosen) && chosen == version && _waitingDefaults.Remove(model);
    }

    /// <summary>The management API changes a model.</summary>
    public void Change(string model) => _changed.Add(model);

    /// <summary>The management API chooses a default.</summary>
    public void ChangeDefault(string model)
    {
        _changed.Add(model);
        _waitingDefaults.Remove(model);
    }

    /// <summary>The management API unregisters a version.</summary>
    /// <param name="model">The model.</param>
    /// <param name="version">The version.</param>
    /// <param name="comesBack">Whether the configuration's <c>loadModels</c> could bring it back.</param>
    public void Unregister(string model, string version, bool comesBack)
    {
        _changed.Add(model);
        _waiting.Remove((model, version));
        if (_waitingDefaults.GetValueOrDefault(model) == version) _waitingDefaults.Remove(model);
        if (comesBack) _unregistered.Add((model, version));
    }

    /// <summary>Everything that a restart must find again.</summary>
    /// <param name="registered">What is registered, whether changed or not.</param>
    public RegistrySnapshot Capture(IEnumerable<ModelSnapshot> registered)
    {
        var models = registered.ToDictionary(model => model.Name, StringComparer.Ordinal);
        var waiting = _waiting.ToLookup(pair => pair.Key.Model, pair => pair.Value, StringComparer.Ordinal);
        var unregistered = _unregistered.ToLookup(pair => pair.Model, pair => pair.Version, StringComparer.Ordinal);
        return new RegistrySnapshot
        {
            Models =
            [
                .. _changed.Order(StringComparer.Ordinal)
                    .Select(name => Capture(name, models.GetValueOrDefault(name), waiting[name], unregistered[name]))
                    .Where(model => model.Versions.Count + model.Unregistered.Count > 0),
            ],
        };
    }

    private ModelSnapshot Capture(string name, ModelSnapshot? registered, IEnumerable<VersionSnapshot> waiting, IEnumerable<string> unregistered) => new()
    {
        Name = name,
        Default = _waitingDefaults.GetValueOrDefault(name) ?? registered?.Default,
        Versions = [.. (registered?.Versions ?? []).Concat(waiting).OrderBy(version => version.Version, VersionOrder.Instance)],
        Unregistered = [.. unregistered.Order(VersionOrder.Instance)],
    };
}
