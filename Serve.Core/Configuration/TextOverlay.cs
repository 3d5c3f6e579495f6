using Serve.Core.Configuration.Yaml;

namespace Serve.Core.Configuration;

/// <summary>Settings that come as text from outside any file: environment variables, flags, parameters.</summary>
internal static class TextOverlay
{
    /// <summary>They as a mapping, so that they are read and checked by the same code as a file's.</summary>
    /// <param name="values">Text by key; a key in a section has the section's name and a dot before it.</param>
    /// <param name="sourceOf">What messages call the origin of a key.</param>
    /// <param name="problems">Where it goes that a section has a value of its own beside those of its keys.</param>
    public static YamlMap Of(IEnumerable<KeyValuePair<string, string>> values, Func<string, string> sourceOf, ProblemList problems)
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

        // A mapping has each key once; the keys of the section are read all the same, so that their problems are told too.
        foreach (var entry in entries.Where(entry => entry.Value is YamlScalar && sections.ContainsKey(entry.Key)).ToList())
        {
            problems.Add(entry.Origin, entry.Key, $"is a section, and is given a value beside its {string.Join(", ", sections[entry.Key].Select(inside => inside.Key))}; remove the value");
            entries.Remove(entry);
        }

        return new YamlMap(new ConfigurationOrigin(""), entries);
    }
}
