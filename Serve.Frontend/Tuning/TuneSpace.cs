namespace Serve.Frontend.Tuning;

/// <summary>The settings that are looked at: every value of each dimension with every value of the others.</summary>
/// <param name="Values">Values by dimension, ascending; at least one each.</param>
internal sealed record TuneSpace(IReadOnlyDictionary<TuneDimension, IReadOnlyList<int>> Values)
{
    /// <summary>How many settings there are.</summary>
    public int Count => Values.Values.Aggregate(1, (all, values) => all * values.Count);

    /// <summary>All of them, the last dimension changing first.</summary>
    public IEnumerable<TuneSetting> All()
    {
        IEnumerable<TuneSetting> settings = [new TuneSetting(1, 1, 1)];
        foreach (var (dimension, values) in Values.OrderBy(values => values.Key == TuneDimension.Workers ? -1 : (int)values.Key))
            settings = settings.SelectMany(_ => values, (setting, value) => setting.With(dimension, value));
        return settings;
    }

    /// <summary>The setting of the space that is nearest to another.</summary>
    public TuneSetting Nearest(TuneSetting setting) => Values.Aggregate(setting, (near, values) =>
        near.With(values.Key, values.Value.MinBy(value => Math.Abs(value - setting.Get(values.Key)))));
}
