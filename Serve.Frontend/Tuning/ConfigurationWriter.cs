using Serve.Core.Configuration;

namespace Serve.Frontend.Tuning;

/// <summary>Writes a setting into a model's configuration: only what changes, in its place, the file replaced at once.</summary>
internal static class ConfigurationWriter
{
    /// <summary>The lines that a setting changes.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>> Changes(ModelConfiguration now, TuneSetting setting)
    {
        var changes = new List<KeyValuePair<string, string>>();
        foreach (var (key, value) in setting.ToYaml())
        {
            var isAsWanted = key switch
            {
                "batchSize" => now.BatchSize == setting.BatchSize,
                "instances" => now.Instances == setting.Instances,
                "minWorkers" => now.MinWorkers == setting.Workers,

                // A range that already reaches that far stays a range.
                "maxWorkers" => now.MaxWorkers >= setting.Workers,
                "batching" => now.Batching == BatchingMode.Delayed == setting.DelayMilliseconds > 0,
                "maxBatchDelay" => now.MaxBatchDelay == TimeSpan.FromMilliseconds(setting.DelayMilliseconds),
                "decodeThreads" => now.DecodeThreads == setting.DecodeThreads,
                _ => now.Execution.IntraOpThreads == setting.IntraOpThreads,
            };
            if (!isAsWanted) changes.Add(new(key, value));
        }

        return changes;
    }

    /// <summary>Writes changes.</summary>
    /// <param name="path">The file; it need not exist.</param>
    /// <param name="changes">Keys and values.</param>
    /// <exception cref="NotSupportedException">The file is written in a way that cannot be changed without rewriting it.</exception>
    /// <exception cref="ConfigurationException">The result would not be a configuration.</exception>
    public static void Write(string path, IReadOnlyList<KeyValuePair<string, string>> changes)
    {
        var exists = File.Exists(path);
        var edited = YamlEdit.Set(exists ? File.ReadAllText(path) : "", changes);
        ModelConfigurationReader.ReadText(edited, path, new ServerConfiguration());
        var temporary = $"{path}.{Environment.ProcessId}.new";
        File.WriteAllText(temporary, edited);
        if (exists && !OperatingSystem.IsWindows()) File.SetUnixFileMode(temporary, File.GetUnixFileMode(path));
        File.Move(temporary, path, overwrite: true);
    }
}
