using Microsoft.Extensions.Logging;

namespace Serve.Core.Observability;

/// <summary>The lowest level that the server logs; can be changed while it runs. Safe from any thread.</summary>
/// <param name="name">A name of the configuration's <c>logLevel</c>.</param>
public sealed class LogLevelSwitch(string name)
{
    private volatile int _minimum = (int)(Parse(name) ?? throw new ArgumentException($"{name} is no level.", nameof(name)));

    /// <summary>The names of levels, from the lowest.</summary>
    public static IReadOnlyList<string> Names { get; } = ["trace", "debug", "information", "warning", "error"];

    /// <summary>The lowest level.</summary>
    public LogLevel Minimum
    {
        get => (LogLevel)_minimum;
        set => _minimum = (int)value;
    }

    /// <summary>Its name.</summary>
    public string Name => Minimum.ToString().ToLowerInvariant();

    /// <summary>The level of that name; null if there is none.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    public static LogLevel? Parse(string name) => Names.Contains(name) ? Enum.Parse<LogLevel>(name, ignoreCase: true) : null;
}
