using Serve.Core.Configuration.Yaml;

namespace Serve.Core.Configuration;

/// <summary>
/// Reads the server's configuration: the file, over it environment variables, over them flags. All problems of all three
/// are reported at once, each with its source.
/// </summary>
public static class ServerConfigurationReader
{
    /// <summary>Reads and checks everything.</summary>
    /// <param name="file">The YAML file; null for none, which leaves the defaults.</param>
    /// <param name="environment">The process's environment; only names that begin with <c>SERVE_</c> are looked at.</param>
    /// <param name="flags">Values of flags by key (<c>inferenceAddress</c>).</param>
    /// <param name="currentFolder">What relative paths in variables and flags are relative to; null: the process's.</param>
    /// <param name="asClient">
    /// For a command that talks to the server: addresses may be of other machines and have their names, and what a server
    /// needs beside them is not asked for.
    /// </param>
    /// <exception cref="ConfigurationException">Everything that is wrong.</exception>
    public static ConfigurationRead<ServerConfiguration> Read(
        string? file,
        IReadOnlyDictionary<string, string>? environment = null,
        IReadOnlyDictionary<string, string>? flags = null,
        string? currentFolder = null,
        bool asClient = false)
    {
        var problems = new ProblemList();
        var map = file is null ? null : YamlTree.ReadFile(Path.GetFullPath(file, Full(currentFolder)), problems);
        return Join(map, file is null ? null : FolderOfPaths(Path.GetFullPath(file, Full(currentFolder))), environment, flags, Full(currentFolder), problems, asClient);
    }

    /// <summary>As <see cref="Read"/>, with the file's text.</summary>
    /// <param name="text">YAML.</param>
    /// <param name="file">The path that the text is thought to have; it need not exist.</param>
    /// <param name="environment">The process's environment.</param>
    /// <param name="flags">Values of flags by key.</param>
    /// <param name="currentFolder">What relative paths in variables and flags are relative to; null: the process's.</param>
    /// <exception cref="ConfigurationException">Everything that is wrong.</exception>
    public static ConfigurationRead<ServerConfiguration> ReadText(
        string text,
        string file,
        IReadOnlyDictionary<string, string>? environment = null,
        IReadOnlyDictionary<string, string>? flags = null,
        string? currentFolder = null)
    {
        var problems = new ProblemList();
        return Join(YamlTree.ReadText(text, file, problems), FolderOfPaths(Path.GetFullPath(file, Full(currentFolder))), environment, flags, Full(currentFolder), problems, asClient: false);
    }

    /// <summary>This process's environment in the form that <see cref="Read"/> takes.</summary>
    public static IReadOnlyDictionary<string, string> ProcessEnvironment()
    {
        var variables = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (System.Collections.DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            if (variable is { Key: string name, Value: string value } && name.StartsWith(EnvironmentNames.Prefix, StringComparison.Ordinal)) variables[name] = value;
        }

        return variables;
    }

    private static ConfigurationRead<ServerConfiguration> Join(
        YamlMap? map,
        string? fileFolder,
        IReadOnlyDictionary<string, string>? environment,
        IReadOnlyDictionary<string, string>? flags,
        string currentFolder,
        ProblemList problems,
        bool asClient)
    {
        var defaults = new ServerConfiguration();
        var configuration = defaults with { ModelStore = Path.GetFullPath(defaults.ModelStore, fileFolder ?? currentFolder) };
        var origins = new Dictionary<string, ConfigurationOrigin>(StringComparer.Ordinal);

        if (map is not null) configuration = Layer(map, fileFolder ?? currentFolder, configuration, origins, problems, asClient, unknownIsWarning: false);

        if (environment is not null)
        {
            var overlay = TextOverlay.Of(EnvironmentNames.Settings(environment), key => $"environment variable {EnvironmentNames.Of(key)}", problems);
            configuration = Layer(overlay, currentFolder, configuration, origins, problems, asClient, unknownIsWarning: true);
        }

        if (flags is not null)
        {
            var overlay = TextOverlay.Of(flags, key => $"flag {EnvironmentNames.Flag(key)}", problems);
            configuration = Layer(overlay, currentFolder, configuration, origins, problems, asClient, unknownIsWarning: false);
        }

        if (!asClient) ServerRules.Check(configuration, key => origins.GetValueOrDefault(key, new ConfigurationOrigin("default settings")), problems);
        problems.ThrowIfAny();
        return new(configuration, problems.Warnings, origins.Keys.ToHashSet(StringComparer.Ordinal));
    }

    /// <summary>Lays one source over what holds so far and notes where each key was set.</summary>
    private static ServerConfiguration Layer(YamlMap map, string folder, ServerConfiguration below, Dictionary<string, ConfigurationOrigin> origins, ProblemList problems, bool asClient, bool unknownIsWarning)
    {
        var settings = new SettingsReader(map, "", problems);
        var configuration = ServerSettings.Bind(settings, below, folder, asClient);
        settings.Finish(unknownIsWarning);
        foreach (var entry in map.Entries) origins[entry.Key] = entry.Value.Origin;
        return configuration;
    }

    /// <summary>
    /// What relative paths in a file are relative to: the folder around a folder called <c>configs</c>, which lies beside
    /// <c>model-store</c>; for a file elsewhere, its own folder. Never the folder in which the server happens to be started.
    /// </summary>
    private static string FolderOfPaths(string file)
    {
        var folder = Path.GetDirectoryName(file) ?? Path.GetPathRoot(file)!;
        return Path.GetFileName(folder) == "configs" ? Path.GetDirectoryName(folder) ?? folder : folder;
    }

    private static string Full(string? currentFolder) => currentFolder ?? Directory.GetCurrentDirectory();
}
