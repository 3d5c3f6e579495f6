using Serve.Core.Configuration.Yaml;

namespace Serve.Core.Configuration;

/// <summary>Settings that come as text from outside any file: environment variables, flags, parameters.</summary>
internal static class TextOverlay
{
    /// <summary>They as a mapping, so that they are read and checked by the same code as a file's.</summary>
    /// <param name="values">Text by key.</param>
    /// <param name="sourceOf">What messages call the origin of a key.</param>
    public static YamlMap Of(IEnumerable<KeyValuePair<string, string>> values, Func<string, string> sourceOf) => new(new ConfigurationOrigin(""),
    [
        .. values.Select(pair =>
        {
            var origin = new ConfigurationOrigin(sourceOf(pair.Key));
            return new YamlEntry(pair.Key, origin, new YamlScalar(origin, pair.Value.Trim(), isPlain: true));
        }),
    ]);
}
