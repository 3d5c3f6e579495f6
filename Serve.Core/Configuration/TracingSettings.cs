using Serve.Core.Configuration.Tokens;

namespace Serve.Core.Configuration;

/// <summary>The keys of the section <c>tracing</c>.</summary>
internal static class TracingSettings
{
    private const string FilePrefix = "file:";

    /// <summary>The environment variables that hold headers themselves, and so the collector's key: this server's own and OpenTelemetry's.</summary>
    public static IReadOnlyList<string> HeaderVariables { get; } = [EnvironmentNames.Of("tracing.headers"), "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"];

    /// <summary>Lays the settings over what holds so far.</summary>
    /// <param name="settings">One source's settings.</param>
    /// <param name="below">What holds for keys that it does not set.</param>
    /// <param name="folder">What its relative paths are relative to.</param>
    public static TracingConfiguration Bind(SettingsReader settings, TracingConfiguration below, string folder)
    {
        var tracing = below with
        {
            Endpoint = Endpoint(settings, below.Endpoint),
            Protocol = Protocol(settings, below.Protocol),
            SamplingRatio = settings.OptionalNumber("samplingRatio", below.SamplingRatio, static ratio => ratio is >= 0 and <= 1, "a number from 0 (none) to 1 (all)"),
            Headers = Headers(settings, below.Headers, folder),
            ServiceName = Filled(settings, "serviceName", below.ServiceName),
            CaFile = Filled(settings, "caFile", below.CaFile) is { } file ? Path.GetFullPath(file, folder) : null,
        };
        settings.Finish();
        return tracing;
    }

    private static string? Endpoint(SettingsReader settings, string? below)
    {
        var text = Filled(settings, "endpoint", below);
        if (text is null || text == below) return text;
        if (Uri.TryCreate(text, UriKind.Absolute, out var url) && (url.Scheme == Uri.UriSchemeHttp || url.Scheme == Uri.UriSchemeHttps) && url is { Host.Length: > 0, UserInfo: "", Query: "", Fragment: "" }) return text;

        // Not shown: who writes a name and a password into a URL should not find them in a log.
        settings.Problem("endpoint", "must be the collector's URL, http://HOST:PORT or https://HOST:PORT; what it asks for besides belongs into headers");
        return below;
    }

    private static string? Protocol(SettingsReader settings, string? below)
    {
        var text = Filled(settings, "protocol", below);
        if (text is null or "grpc" or "http/protobuf") return text;

        settings.Problem("protocol", $"{text} is not allowed; give grpc or http/protobuf");
        return below;
    }

    private static IReadOnlyList<string> Headers(SettingsReader settings, IReadOnlyList<string> below, string folder)
    {
        if (!settings.Has("headers")) return below;
        if (settings.Secrets("headers") is not { } items) return below;

        var headers = new List<string>();
        for (var i = 0; i < items.Count; i++)
        {
            if (items[i].Split('=', 2) is not [var name, { Length: > 0 } value] || !CorsNames.IsToken(name))
            {
                settings.Problem("headers", $"item {i + 1} is not NAME=env:VARIABLE, NAME=file:PATH or NAME=VALUE");
                continue;
            }

            headers.Add(value.StartsWith(FilePrefix, StringComparison.Ordinal) ? $"{name}={FilePrefix}{Path.GetFullPath(value[FilePrefix.Length..], folder)}" : items[i]);
        }

        return headers;
    }

    private static string? Filled(SettingsReader settings, string key, string? below)
    {
        var text = settings.Text(key, below);
        if (text is null or { Length: > 0 }) return text;

        settings.Problem(key, "is empty; give a value, or remove the line");
        return below;
    }

    /// <summary>Where a header's value comes from: a file, a variable, or null: it is in the configuration.</summary>
    /// <param name="header">As <see cref="TracingConfiguration.Headers"/> has it.</param>
    /// <param name="name">Its name.</param>
    /// <param name="value">What stands there.</param>
    public static TokenSource? SourceOf(string header, out string name, out string value)
    {
        var at = header.IndexOf('=', StringComparison.Ordinal);
        (name, value) = (header[..at], header[(at + 1)..]);
        return TokenSource.Parse(value, out _) is { Kind: not TokenSourceKind.Hash } source ? source : null;
    }
}
