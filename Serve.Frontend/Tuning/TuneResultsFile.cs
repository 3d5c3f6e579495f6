using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Serve.Core.Configuration;
using Serve.Core.Models;
using Serve.Core.Protocol;
using Serve.Frontend.Commands.Bench;

namespace Serve.Frontend.Tuning;

/// <summary>
/// What was measured so far, on disk: a tuning that was ended goes on where it was. The file's name holds a hash of the
/// model's files, the machine, the data and how it is measured, so results of anything else are not found.
/// </summary>
internal sealed class TuneResultsFile
{
    private readonly List<TuneResult> _results;

    private TuneResultsFile(string path, List<TuneResult> results) => (FilePath, _results) = (path, results);

    /// <summary>Where it is.</summary>
    public string FilePath { get; }

    /// <summary>What was measured.</summary>
    public IReadOnlyList<TuneResult> Results => _results;

    /// <summary>Where files are if nobody says another folder.</summary>
    public static string DefaultFolder { get; } = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify), "serve", "tune");

    /// <summary>Opens the file of a model on this machine.</summary>
    /// <param name="folder">Where the files are.</param>
    /// <param name="source">The model.</param>
    /// <param name="data">What is sent.</param>
    /// <param name="how">How it is measured: results of another way are others.</param>
    /// <param name="isFresh">Forget what is there.</param>
    public static TuneResultsFile Open(string folder, ModelSource source, IReadOnlyList<RequestBody> data, string how, bool isFresh)
    {
        var path = Path.Combine(folder, $"{source.Name}-{source.Version}-{Key(source, data, how)}.json");
        return new TuneResultsFile(path, isFresh || !File.Exists(path) ? [] : Read(path));
    }

    /// <summary>A result that was measured before, outside of finals.</summary>
    public TuneResult? Find(TuneSetting setting, TuneEffort effort) => _results.Find(result => result.Setting == setting && result.Effort >= effort && result.Final is null && result.Failure is null);

    /// <summary>The results of a final between these settings; null: there was none, or one failed in it.</summary>
    public IReadOnlyList<TuneResult>? FindFinal(IReadOnlyCollection<TuneSetting> settings)
    {
        foreach (var final in _results.Where(result => result.Final is not null).GroupBy(result => result.Final).Reverse())
        {
            if (final.All(result => result.Failure is null) && settings.ToHashSet().SetEquals(final.Select(result => result.Setting))) return [.. final];
        }

        return null;
    }

    /// <summary>A number for another final.</summary>
    public int NextFinal => 1 + _results.Max(result => result.Final).GetValueOrDefault();

    /// <summary>Keeps results, at once.</summary>
    public void Add(params IEnumerable<TuneResult> results)
    {
        _results.AddRange(results);
        Directory.CreateDirectory(Path.GetDirectoryName(FilePath)!);
        var temporary = $"{FilePath}.{Environment.ProcessId}";
        File.WriteAllText(temporary, JsonSerializer.Serialize(_results, TuneJson.Default.ListTuneResult));
        File.Move(temporary, FilePath, overwrite: true);
    }

    private static List<TuneResult> Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllText(path), TuneJson.Default.ListTuneResult) ?? [];
        }
        catch (JsonException)
        {
            // Damaged, or another version's: it is measured again.
            return [];
        }
    }

    private static string Key(ModelSource source, IReadOnlyList<RequestBody> data, string how)
    {
        var config = source.Manifest?.ConfigFile ?? ModelConfigurationReader.FileName;
        var text = new StringBuilder(how);
        foreach (var file in new DirectoryInfo(source.Folder).EnumerateFiles("*", SearchOption.AllDirectories).OrderBy(file => file.FullName, StringComparer.Ordinal))
        {
            // The configuration counts by what it says; writing a result must not make it another model.
            if (Path.GetRelativePath(source.Folder, file.FullName) != config) text.Append('|').Append(file.Name).Append(file.Length).Append(file.LastWriteTimeUtc.Ticks);
        }

        text.Append('|').Append(JsonSerializer.Serialize(WithoutTuned(source.Configuration), ProtocolJson.Default.ModelConfiguration));
        text.Append('|').Append(Environment.MachineName).Append(Environment.ProcessorCount).Append(typeof(TuneResultsFile).Assembly.GetName().Version);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(text.ToString()));
        foreach (var body in data) hash.AppendData(SHA256.HashData(body.Bytes));
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..16];
    }

    /// <summary>What the tuner measures with: the model's configuration, but for what it changes or switches off.</summary>
    private static ModelConfiguration WithoutTuned(ModelConfiguration configuration)
    {
        var any = new ModelConfiguration();
        return configuration with
        {
            BatchSize = any.BatchSize,
            Instances = any.Instances,
            MinWorkers = any.MinWorkers,
            MaxWorkers = any.MaxWorkers,
            Batching = any.Batching,
            MaxBatchDelay = any.MaxBatchDelay,
            DecodeThreads = any.DecodeThreads,
            MaxQueueSize = any.MaxQueueSize,
            LatencyTarget = any.LatencyTarget,
            ResponseCache = any.ResponseCache,
            Execution = configuration.Execution with { IntraOpThreads = any.Execution.IntraOpThreads },
        };
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(List<TuneResult>))]
[JsonSerializable(typeof(TuneReport))]
internal sealed partial class TuneJson : JsonSerializerContext;
