namespace Serve.Core.Configuration;

/// <summary>Binds <c>autoscale</c> of <c>model-config.yaml</c>: <c>true</c>, <c>false</c>, or a section.</summary>
internal static class AutoscaleSection
{
    private const string Key = "autoscale";

    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Millisecond = TimeSpan.FromMilliseconds(1);

    /// <returns>Null: the number of workers is only changed by hand.</returns>
    public static AutoscaleConfiguration? Bind(SettingsReader settings, AutoscaleConfiguration? fallback)
    {
        if (settings.IsPlain(Key)) return settings.Flag(Key, fallback is not null) ? fallback ?? new AutoscaleConfiguration() : null;
        if (settings.Section(Key) is not { } section) return fallback;
        var below = fallback ?? new AutoscaleConfiguration();
        var bound = below with
        {
            Headroom = section.Number("headroom", below.Headroom, share => share is >= 0 and <= 0.9, "a share of the capacity from 0 to 0.9, for example 0.2"),
            QueueWait = section.OptionalDuration("queueWait", below.QueueWait, Millisecond, Millisecond, TimeSpan.FromHours(1)),
            UpAfter = section.Duration("upAfter", below.UpAfter, Second, Second, TimeSpan.FromHours(1)),
            DownAfter = section.Duration("downAfter", below.DownAfter, Second, Second, TimeSpan.FromHours(24)),
        };
        section.Finish();
        return bound;
    }
}
