using Serve.Core.Configuration.Yaml;

namespace Serve.Core.Configuration;

/// <summary>Settings that come as text from outside any file: environment variables, flags, parameters.</summary>
internal static class TextOverlay
{
    /// <summary>They as a mapping, so that they are read and checked by the same code as a file's.</summary>
    /// <param name="values">Text by key; a key in a section has the section's name and a dot before it.</param>
    /// <param name="sourceOf">What messages call the origin of a key.</param>
    public static YamlMap Of(IEnumerable<KeyValuePair<string, string>> values, Func<string, string> sourceOf)
    {
        var entries = new List<YamlEntry>();
        var sections = new Dictionary<string, List<YamlEntry>>(StringComparer.Ordinal);
        foreach (var (key, text) in values)
        {
            var origin = new ConfigurationOrigin(sourceOf(key));
            var value = new YamlScalar(origin, text.Trim(), isPlain: true);
            if (key.Split('.', 2) is not [var section, var inside])
            {
                entries.Add(new YamlEntry(key, origin, value));
                continue;
            }

            if (!sections.TryGetValue(section, out var inSection))
            {
                inSection = sections[section] = [];
                entries.Add(new YamlEntry(section, origin, new YamlMap(origin, inSection)));
            }

            inSection.Add(new YamlEntry(inside, origin, value));
        }

        return new YamlMap(new ConfigurationOrigin(""), entries);
    }
}
