using System.Text;

namespace Serve.Core.Configuration;

/// <summary>How the server's keys are called in the environment (<c>SERVE_INFERENCE_ADDRESS</c>) and as flags (<c>--inference-address</c>).</summary>
public static class EnvironmentNames
{
    /// <summary>What every variable begins with.</summary>
    public const string Prefix = "SERVE_";

    /// <summary>The token that the commands send to a server: not a setting.</summary>
    public const string ClientToken = "SERVE_TOKEN";

    /// <summary>Whom the commands trust: not a setting, nor are the next two.</summary>
    public const string ClientCaFile = "SERVE_CLIENT_CA";

    /// <summary>The certificate that the commands show.</summary>
    public const string ClientCertificateFile = "SERVE_CLIENT_CERT";

    /// <summary>Its key.</summary>
    public const string ClientKeyFile = "SERVE_CLIENT_KEY";

    /// <summary>The one-time token that the frontend gives to a worker: not a setting.</summary>
    private const string WorkerToken = "SERVE_WORKER_TOKEN";

    /// <summary>The keys in sections, with the section's name before a dot.</summary>
    internal static IReadOnlyList<string> SectionKeys { get; } = ["metrics.torchserveNames", "openInference.modelControl", "openInference.sharedMemory", "openInference.serverName", "logging.format", "logging.accessFormat", "logging.folder", "logging.fileSize", "logging.files", "tracing.endpoint", "tracing.protocol", "tracing.samplingRatio", "tracing.headers", "tracing.serviceName", "tracing.caFile"];

    /// <summary>The variable of a key.</summary>
    /// <param name="key">In camelCase; in a section with its name before a dot.</param>
    public static string Of(string key) => Prefix + Words(key, '_').ToUpperInvariant();

    /// <summary>The flag of a key.</summary>
    /// <param name="key">In camelCase.</param>
    public static string Flag(string key) => "--" + Words(key, '-');

    /// <summary>The settings in an environment, by key. An empty variable counts as not set.</summary>
    /// <remarks>
    /// Variables that Kubernetes makes for a service called <c>serve</c> (<c>SERVE_SERVICE_HOST</c>, <c>SERVE_PORT_…</c>)
    /// are not settings, nor is what belongs to a worker and to the commands.
    /// </remarks>
    internal static IEnumerable<KeyValuePair<string, string>> Settings(IReadOnlyDictionary<string, string> environment) => environment
        .Where(variable => variable.Key.StartsWith(Prefix, StringComparison.Ordinal) && variable.Value.Trim().Length > 0)
        .Where(variable => variable.Key is not (WorkerToken or ClientToken or ClientCaFile or ClientCertificateFile or ClientKeyFile) && !IsOfKubernetes(variable.Key))
        .OrderBy(variable => variable.Key, StringComparer.Ordinal)
        .Select(variable => KeyValuePair.Create(Key(variable.Key), variable.Value))
        .DistinctBy(setting => setting.Key, StringComparer.Ordinal);

    private static bool IsOfKubernetes(string name) =>
        name.StartsWith("SERVE_SERVICE_", StringComparison.Ordinal) || name == "SERVE_PORT" || name.StartsWith("SERVE_PORT_", StringComparison.Ordinal);

    private static string Key(string variable)
    {
        if (SectionKeys.FirstOrDefault(key => Of(key) == variable) is { } inSection) return inSection;
        var words = variable[Prefix.Length..].Split('_', StringSplitOptions.RemoveEmptyEntries).Select(word => word.ToLowerInvariant());
        return string.Concat(words.Select((word, index) => index == 0 ? word : char.ToUpperInvariant(word[0]) + word[1..]));
    }

    private static string Words(string key, char separator)
    {
        var words = new StringBuilder();
        foreach (var c in key)
        {
            if ((c == '.' || char.IsAsciiLetterUpper(c)) && words.Length > 0) words.Append(separator);
            if (c != '.') words.Append(char.ToLowerInvariant(c));
        }

        return words.ToString();
    }
}
