using System.Globalization;
using Serve.Core.Configuration;
using Serve.Core.Configuration.Tokens;
using Serve.Frontend.Commands;

namespace Serve.Frontend.Tracing;

/// <summary>OpenTelemetry's environment variables.</summary>
/// <param name="variable">The environment.</param>
internal sealed class TracingVariables(Func<string, string?> variable)
{
    private const string ServiceName = "service.name";

    /// <summary>A variable without the spaces around it; null: it is not set, or empty.</summary>
    public string? Given(string name) => variable(name) is { } text && text.Trim() is { Length: > 0 } trimmed ? trimmed : null;

    public bool IsTrue(string name) => Given(name) is { } text && text.Equals("true", StringComparison.OrdinalIgnoreCase);

    /// <summary>A whole number above 0: milliseconds, or a count.</summary>
    /// <exception cref="ConfigurationException">It is none.</exception>
    public int Number(string name, int otherwise)
    {
        if (Given(name) is not { } text) return otherwise;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0 ? number : throw Wrong(name, $"{text} is no whole number above 0");
    }

    /// <summary>A URL.</summary>
    /// <exception cref="ConfigurationException">It is none.</exception>
    public static Uri Url(string name, string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var url) && (url.Scheme == Uri.UriSchemeHttp || url.Scheme == Uri.UriSchemeHttps) ? url : throw Wrong(name, "it must be an http:// or https:// URL");

    /// <summary>Which requests are traced: <c>OTEL_TRACES_SAMPLER</c>.</summary>
    /// <exception cref="ConfigurationException">It says what is not available.</exception>
    public (double Ratio, bool FollowsParent) Sampling() => Given("OTEL_TRACES_SAMPLER") switch
    {
        null or "parentbased_always_on" => (1, true),
        "always_on" => (1, false),
        "always_off" => (0, false),
        "parentbased_always_off" => (0, true),
        "traceidratio" => (RatioOf(), false),
        "parentbased_traceidratio" => (RatioOf(), true),
        var other => throw Wrong("OTEL_TRACES_SAMPLER", $"{other} is not available; give always_on, always_off or traceidratio, with parentbased_ before it where the client decides"),
    };

    /// <summary>What the collector is told of this server: its name, and <c>OTEL_RESOURCE_ATTRIBUTES</c>.</summary>
    /// <param name="configuredName">The name that the configuration has, or null.</param>
    /// <exception cref="ConfigurationException">The variable is no list of names and values.</exception>
    public IReadOnlyList<KeyValuePair<string, string>> Resource(string? configuredName)
    {
        var attributes = new Dictionary<string, string>
        {
            [ServiceName] = "serve",
            ["service.version"] = ServeCommandLine.Version,
            ["service.instance.id"] = Guid.NewGuid().ToString(),
            ["telemetry.sdk.name"] = "serve",
            ["telemetry.sdk.language"] = "dotnet",
            ["telemetry.sdk.version"] = ServeCommandLine.Version,
        };
        foreach (var (name, value) in Pairs("OTEL_RESOURCE_ATTRIBUTES", Given("OTEL_RESOURCE_ATTRIBUTES"))) attributes[name] = value;
        if ((configuredName ?? Given("OTEL_SERVICE_NAME")) is { } service) attributes[ServiceName] = service;
        return [.. attributes];
    }

    /// <summary>Names and values as OpenTelemetry has them, <c>a=b,c=d</c>, percent-encoded.</summary>
    /// <exception cref="ConfigurationException">They are none. It does not show them: there may be a key among them.</exception>
    public static IReadOnlyList<KeyValuePair<string, string>> Pairs(string name, string? text)
    {
        if (text is null) return [];
        var pairs = new List<KeyValuePair<string, string>>();
        foreach (var item in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (item.Split('=', 2, StringSplitOptions.TrimEntries) is not [{ Length: > 0 } key, var value]) throw Wrong(name, $"item {pairs.Count + 1} is not NAME=VALUE");
            pairs.Add(KeyValuePair.Create(Uri.UnescapeDataString(key), Uri.UnescapeDataString(value)));
        }

        return pairs;
    }

    /// <summary>A header of the configuration, whose value may be elsewhere.</summary>
    /// <exception cref="ConfigurationException">It is not there.</exception>
    public KeyValuePair<string, string> Header(string header)
    {
        var source = TracingSettings.SourceOf(header, out var name, out var value);
        return KeyValuePair.Create(name, source is null ? value : Read(name, source));
    }

    public static ConfigurationException Wrong(string name, string why) => new([new ConfigurationProblem(new ConfigurationOrigin(name), "", why)]);

    private double RatioOf()
    {
        if (Given("OTEL_TRACES_SAMPLER_ARG") is not { } text) return 1;
        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var ratio) && ratio is >= 0 and <= 1 ? ratio : throw Wrong("OTEL_TRACES_SAMPLER_ARG", $"{text} is no number from 0 to 1");
    }

    private string Read(string name, TokenSource source)
    {
        if (source.Kind == TokenSourceKind.Variable) return Given(source.Value) ?? throw Wrong("tracing.headers", $"{name}: the environment variable {source.Value} is not set");
        try
        {
            return File.ReadAllText(source.Value).Trim() is { Length: > 0 } text ? text : throw Wrong("tracing.headers", $"{name}: the file {source.Value} is empty");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Wrong("tracing.headers", $"{name}: {e.Message}");
        }
    }
}
