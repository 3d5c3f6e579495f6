using Serve.Core.Configuration.Yaml;

namespace Serve.Core.Configuration;

/// <summary>
/// Takes typed values out of one mapping, key by key, over values that hold otherwise. A wrong value becomes a problem and
/// the reading goes on; a key that nobody asked for is a problem at the end.
/// </summary>
internal sealed class SettingsReader
{
    private readonly Dictionary<string, YamlEntry> _entries;
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);
    private readonly HashSet<string> _silent = new(StringComparer.Ordinal);
    private readonly ConfigurationOrigin _origin;
    private readonly string _section;
    private readonly ProblemList _problems;

    /// <param name="map">The mapping.</param>
    /// <param name="section">Keys of the mappings around it with a dot at the end; empty for the root.</param>
    /// <param name="problems">Where problems go.</param>
    public SettingsReader(YamlMap map, string section, ProblemList problems)
    {
        _entries = map.Entries.ToDictionary(entry => entry.Key, StringComparer.Ordinal);
        _origin = map.Origin;
        _section = section;
        _problems = problems;
    }

    /// <summary>Whether the key is written there.</summary>
    public bool Has(string key) => _entries.ContainsKey(key);

    /// <summary>Where a key's value stands; the mapping's own place if it does not.</summary>
    public ConfigurationOrigin OriginOf(string key) => _entries.TryGetValue(key, out var entry) ? entry.Value.Origin : _origin;

    /// <summary>Whether the key has a value that is neither a mapping nor a list.</summary>
    public bool IsPlain(string key) => _entries.TryGetValue(key, out var entry) && entry.Value is YamlScalar { IsNull: false };

    /// <summary>Reports a problem of a key's value.</summary>
    public void Problem(string key, string message) => _problems.Add(OriginOf(key), _section + key, message);

    /// <summary>Warns about a key's value.</summary>
    public void Warn(string key, string message) => _problems.Warn(OriginOf(key), _section + key, message);

    public int Integer(string key, int fallback, int min, int max) => (int)Long(key, fallback, min, max);

    /// <summary>A whole number, or <c>auto</c>, which is null.</summary>
    public int? IntegerOrAuto(string key, int? fallback, int min, int max)
    {
        var right = $"a whole number from {min} to {max}, or auto";
        if (TakeScalar(key, right) is not { } scalar) return fallback;
        if (scalar.IsPlain && scalar.Text == "auto") return null;
        if (scalar.IsPlain && ValueText.Integer(scalar.Text) is { } value && value >= min && value <= max) return (int)value;

        return Wrong(key, scalar, right, fallback);
    }

    public long Long(string key, long fallback, long min, long max)
    {
        if (TakeScalar(key, $"a whole number from {min} to {max}") is not { } scalar) return fallback;
        if (scalar.IsPlain && ValueText.Integer(scalar.Text) is { } value && value >= min && value <= max) return value;

        return Wrong(key, scalar, $"a whole number from {min} to {max}", fallback);
    }

    public bool Flag(string key, bool fallback)
    {
        if (TakeScalar(key, "true or false") is not { } scalar) return fallback;

        return (scalar.IsPlain ? scalar.Text : "") switch
        {
            "true" or "True" or "TRUE" => true,
            "false" or "False" or "FALSE" => false,
            _ => Wrong(key, scalar, "true or false", fallback),
        };
    }

    /// <summary><c>true</c>, <c>false</c>, or null.</summary>
    public bool? OptionalFlag(string key, bool? fallback)
    {
        if (!Has(key)) return Unset(key, fallback);
        return _entries[key].Value is YamlScalar { IsNull: true } ? Unset<bool?>(key, null) : Flag(key, fallback ?? false);
    }

    /// <summary>A duration; a number without a unit counts in <paramref name="unit"/>.</summary>
    public TimeSpan Duration(string key, TimeSpan fallback, TimeSpan unit, TimeSpan min, TimeSpan max)
    {
        var unitName = unit == TimeSpan.FromSeconds(1) ? "seconds" : "milliseconds";
        var right = $"a whole number of {unitName} or a number with a unit (50ms, 1.5s, 2m), from {ValueText.Show(min)} to {ValueText.Show(max)}";
        if (TakeScalar(key, right) is not { } scalar) return fallback;

        // In quotes a unit may stand, not a bare number: that would be text in every other reader.
        var text = scalar.Text.Trim();
        var value = scalar.IsPlain || text.Length > 0 && char.IsLetter(text[^1]) ? ValueText.Duration(text, unit) : null;
        return value is { } duration && duration >= min && duration <= max ? duration : Wrong(key, scalar, right, fallback);
    }

    /// <summary>As <see cref="Duration"/>, or null.</summary>
    public TimeSpan? OptionalDuration(string key, TimeSpan? fallback, TimeSpan unit, TimeSpan min, TimeSpan max)
    {
        if (!_entries.TryGetValue(key, out var entry)) return Unset(key, fallback);
        return entry.Value is YamlScalar { IsNull: true } ? Unset<TimeSpan?>(key, null) : Duration(key, fallback ?? max, unit, min, max);
    }

    /// <summary>Bytes, with or without a unit.</summary>
    public long Size(string key, long fallback, long min, long max)
    {
        var right = $"a number of bytes from {min} to {max}, also with a unit (64MiB, 1GB)";
        if (TakeScalar(key, right) is not { } scalar) return fallback;
        if (ValueText.Size(scalar.Text.Trim()) is { } value && value >= min && value <= max) return value;

        return Wrong(key, scalar, right, fallback);
    }

    /// <summary>Bytes, or null.</summary>
    public long? OptionalSize(string key, long? fallback, long min, long max)
    {
        if (!Has(key)) return Unset(key, fallback);
        return _entries[key].Value is YamlScalar { IsNull: true } ? Unset<long?>(key, null) : Size(key, fallback ?? min, min, max);
    }

    public double Number(string key, double fallback, Func<double, bool> isRight, string right)
    {
        if (TakeScalar(key, right) is not { } scalar) return fallback;
        if (scalar.IsPlain && ValueText.Number(scalar.Text) is { } value && isRight(value)) return value;

        return Wrong(key, scalar, right, fallback);
    }

    /// <summary>A number, or null.</summary>
    public double? OptionalNumber(string key, double? fallback, Func<double, bool> isRight, string right)
    {
        if (!Has(key)) return Unset(key, fallback);
        return _entries[key].Value is YamlScalar { IsNull: true } ? Unset<double?>(key, null) : Number(key, fallback ?? 0, isRight, right);
    }

    /// <summary>Text that may be null.</summary>
    public string? Text(string key, string? fallback)
    {
        if (Take(key) is not { } node) return fallback;
        if (node is YamlScalar { IsNull: true }) return null;

        return Scalar(key, node, "text") is not { } scalar || !IsPrintable(key, scalar) ? fallback : scalar.Text;
    }

    /// <summary>Text that must not be empty.</summary>
    public string RequiredText(string key, string fallback)
    {
        if (TakeScalar(key, "text") is not { } scalar || !IsPrintable(key, scalar)) return fallback;

        return scalar.Text.Length > 0 ? scalar.Text : Wrong(key, scalar, "text that is not empty", fallback);
    }

    /// <summary>One of an enumeration's names, in lower case in the file.</summary>
    public T Choice<T>(string key, T fallback)
        where T : struct, Enum => Choice(key, fallback, [.. Enum.GetNames<T>().Select(name => name.ToLowerInvariant())], Enum.Parse<T>);

    /// <summary>One of an enumeration's names, or null.</summary>
    public T? OptionalChoice<T>(string key, T? fallback)
        where T : struct, Enum
    {
        if (!_entries.TryGetValue(key, out var entry) || entry.Value is not YamlScalar { IsNull: true }) return Has(key) ? Choice(key, fallback ?? default) : Unset(key, fallback);

        return Unset<T?>(key, null);
    }

    /// <summary>One of some words.</summary>
    public string Choice(string key, string fallback, IReadOnlyList<string> words) => Choice(key, fallback, words, (word, _) => word.ToLowerInvariant());

    /// <summary>A list, or one value for a list of one. <c>none</c> is the empty list where <paramref name="noneIsEmpty"/>.</summary>
    /// <param name="key">The key.</param>
    /// <param name="fallback">What holds where the key is absent or wrong.</param>
    /// <param name="parse">An item, or null if it is wrong.</param>
    /// <param name="right">What would be right, for the message.</param>
    /// <param name="isRight">Whether the whole list is right.</param>
    /// <param name="noneIsEmpty">Whether <c>none</c> may stand for the empty list.</param>
    public IReadOnlyList<T> List<T>(string key, IReadOnlyList<T> fallback, Func<YamlScalar, T?> parse, string right, Func<IReadOnlyList<T>, bool> isRight, bool noneIsEmpty = false)
        where T : struct => OptionalList(key, fallback, parse, right, isRight, noneIsEmpty) ?? NullIsWrong(key, right, fallback);

    /// <summary>As <see cref="List{T}"/>; null where the value is null or the fallback is.</summary>
    public IReadOnlyList<T>? OptionalList<T>(string key, IReadOnlyList<T>? fallback, Func<YamlScalar, T?> parse, string right, Func<IReadOnlyList<T>, bool> isRight, bool noneIsEmpty = false)
        where T : struct
    {
        if (Take(key) is not { } node) return fallback;
        if (node is YamlScalar { IsNull: true }) return null;
        if (noneIsEmpty && node is YamlScalar { Text: "none" }) return [];

        var items = new List<T>();
        foreach (var item in Items(node))
        {
            if (item is not YamlScalar scalar || parse(scalar) is not { } value)
            {
                _problems.Add(item.Origin, _section + key, $"{item.Describe()} is not allowed; give {right}");
                return fallback;
            }

            items.Add(value);
        }

        if (isRight(items)) return items;

        _problems.Add(node.Origin, _section + key, $"[{string.Join(", ", Items(node).Select(item => item.Describe()))}] is not allowed; give {right}");
        return fallback;
    }

    /// <summary>A list of words, each one of <paramref name="words"/> if any are given. Text with commas counts as a list.</summary>
    public IReadOnlyList<string> Words(string key, IReadOnlyList<string> fallback, IReadOnlyList<string> words, string right)
    {
        if (Take(key) is not { } node) return fallback;

        var items = new List<string>();
        foreach (var item in Items(node))
        {
            if (item is not YamlScalar { IsNull: false } scalar || !IsPrintable(key, scalar))
            {
                _problems.Add(item.Origin, _section + key, $"{item.Describe()} is not allowed; give {right}");
                return fallback;
            }

            foreach (var word in scalar.Text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            {
                if (words.Count > 0 && !words.Contains(word, StringComparer.OrdinalIgnoreCase))
                {
                    _problems.Add(item.Origin, _section + key, $"{item.Describe()} is not allowed; give {right}.{NearestName.Question(word, words)}");
                    return fallback;
                }

                items.Add(words.Count > 0 ? word.ToLowerInvariant() : word);
            }
        }

        return items;
    }

    /// <summary>A list of words, or text with commas, of which no message shows anything; null if it is wrong.</summary>
    public IReadOnlyList<string>? Secrets(string key)
    {
        if (Take(key) is not { } node) return null;
        var items = Items(node);
        if (items.All(item => item is YamlScalar { IsNull: false }))
            return [.. items.Cast<YamlScalar>().SelectMany(item => item.Text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))];

        Problem(key, "is no list of texts");
        return null;
    }

    /// <summary>Free keys with scalar values, as text.</summary>
    public IReadOnlyDictionary<string, string> Texts(string key, IReadOnlyDictionary<string, string> fallback)
    {
        if (Take(key) is not { } node) return fallback;
        if (node is not YamlMap map)
        {
            Problem(key, $"{node.Describe()} is not allowed; give a mapping of names to values");
            return fallback;
        }

        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var entry in map.Entries)
        {
            if (entry.Value is YamlScalar scalar) texts[entry.Key] = scalar.IsNull ? "" : scalar.Text;
            else _problems.Add(entry.Value.Origin, $"{_section}{key}.{entry.Key}", $"{entry.Value.Describe()} is not allowed; give one value (text, number or true/false)");
        }

        return texts;
    }

    /// <summary>A mapping inside this one; null if it is absent or no mapping.</summary>
    public SettingsReader? Section(string key)
    {
        if (Take(key) is not { } node) return null;
        if (node is YamlMap map) return new SettingsReader(map, $"{_section}{key}.", _problems);

        Problem(key, $"{node.Describe()} is not allowed; give a mapping (indented lines of `key: value`)");
        return null;
    }

    /// <summary>Takes a key's value as it is, null if it is absent; for keys with rules of their own.</summary>
    public YamlNode? Take(string key)
    {
        _known.Add(key);
        return _entries.TryGetValue(key, out var entry) ? entry.Value : null;
    }

    /// <summary>Takes a key that is not suggested when another is misspelt.</summary>
    public YamlNode? TakeSilently(string key)
    {
        _silent.Add(key);
        return Take(key);
    }

    /// <summary>Reports every key that nobody asked for.</summary>
    /// <param name="asWarnings">Whether such a key only deserves a warning.</param>
    public void Finish(bool asWarnings = false)
    {
        var suggestions = _known.Except(_silent).ToList();
        foreach (var entry in _entries.Values.Where(entry => !_known.Contains(entry.Key)))
        {
            var name = new YamlScalar(entry.Origin, entry.Key, isPlain: true).Describe();
            var message = $"there is no such setting.{NearestName.Question(entry.Key, suggestions)}";
            if (asWarnings) _problems.Warn(entry.Origin, _section + name, message);
            else _problems.Add(entry.Origin, _section + name, message);
        }
    }

    private static IReadOnlyList<YamlNode> Items(YamlNode node) => node is YamlList list ? list.Items : [node];

    private YamlScalar? TakeScalar(string key, string right)
    {
        if (Take(key) is not { } node || Scalar(key, node, right) is not { } scalar) return null;
        if (!scalar.IsNull) return scalar;

        Problem(key, $"has no value; give {right}, or remove the line for the default");
        return null;
    }

    private YamlScalar? Scalar(string key, YamlNode node, string right)
    {
        if (node is YamlScalar scalar) return scalar;

        Problem(key, $"{node.Describe()} is not allowed; give {right}");
        return null;
    }

    private T Choice<T>(string key, T fallback, IReadOnlyList<string> words, Func<string, bool, T> parse)
    {
        var right = words.Count == 1 ? words[0] : string.Join(", ", words.SkipLast(1)) + " or " + words[^1];
        if (TakeScalar(key, right) is not { } scalar) return fallback;
        if (words.Contains(scalar.Text, StringComparer.OrdinalIgnoreCase)) return parse(scalar.Text, true);

        Problem(key, $"{scalar.Describe()} is not allowed; give {right}.{NearestName.Question(scalar.Text, words)}");
        return fallback;
    }

    private T Unset<T>(string key, T value)
    {
        _known.Add(key);
        return value;
    }

    private T Wrong<T>(string key, YamlScalar scalar, string right, T fallback)
    {
        var hint = scalar.IsPlain ? "" : " without quotes";
        Problem(key, $"{scalar.Describe()} is not allowed; give {right}{hint}");
        return fallback;
    }

    private IReadOnlyList<T> NullIsWrong<T>(string key, string right, IReadOnlyList<T> fallback)
    {
        Problem(key, $"has no value; give {right}, or remove the line for the default");
        return fallback;
    }

    private bool IsPrintable(string key, YamlScalar scalar)
    {
        if (!scalar.Text.Any(char.IsControl)) return true;

        Problem(key, $"{scalar.Describe()} is not allowed; give text without control characters");
        return false;
    }
}
