using System.Globalization;

namespace Serve.Frontend.Commands.Bench;

/// <summary>A model of a load, and its share.</summary>
/// <param name="Name">The model's name.</param>
/// <param name="Version">Its version; null: its default one.</param>
/// <param name="Weight">Its share beside the others.</param>
internal sealed record ModelShare(string Name, string? Version, double Weight)
{
    /// <summary><c>NAME</c> or <c>NAME/VERSION</c>.</summary>
    public string Label => Version is null ? Name : $"{Name}/{Version}";

    /// <summary>Where requests for it go.</summary>
    public string Path => Version is null ? $"/predictions/{Uri.EscapeDataString(Name)}" : $"/predictions/{Uri.EscapeDataString(Name)}/{Uri.EscapeDataString(Version)}";

    /// <summary>Reads <c>NAME[/VERSION]</c>.</summary>
    public static ModelShare Parse(string text, double weight = 1)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        return slash < 0 ? new ModelShare(text, null, weight) : new ModelShare(text[..slash], text[(slash + 1)..], weight);
    }

    /// <summary>Reads <c>a=3,b/2.0=1</c>.</summary>
    /// <exception cref="CommandException">It is no mix.</exception>
    public static IEnumerable<ModelShare> ParseMix(string text)
    {
        foreach (var part in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var equals = part.LastIndexOf('=');
            if (equals <= 0 || !double.TryParse(part[(equals + 1)..], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var weight) || !(weight > 0) || double.IsInfinity(weight))
                throw new CommandException(ExitCode.Usage, $"--mix: '{part}' is not allowed; give models and their shares, for example a=3,b=1.");
            yield return Parse(part[..equals], weight);
        }
    }
}
