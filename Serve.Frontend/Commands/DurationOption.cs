using System.CommandLine;
using Serve.Core.Configuration;

namespace Serve.Frontend.Commands;

/// <summary>Options whose value is a time with a unit, as the configuration has it.</summary>
internal static class DurationOption
{
    /// <summary>An option that takes <c>100ms</c>, <c>1.5s</c>, <c>2m</c>; a whole number without a unit is seconds.</summary>
    public static Option<TimeSpan?> Create(string name, string description) => new(name)
    {
        HelpName = "TIME",
        Description = description,
        CustomParser = result =>
        {
            var text = result.Tokens[0].Value;
            if (ValueText.Duration(text, TimeSpan.FromSeconds(1)) is { } time && time > TimeSpan.Zero && time <= TimeSpan.FromHours(24)) return time;
            result.AddError($"{name}: {text} is not allowed; give a time above 0, for example 100ms, 1.5s or 2m.");
            return null;
        },
    };
}
