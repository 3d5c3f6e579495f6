using System.Globalization;
using System.Runtime.InteropServices;
using Serve.Core.Configuration;
using Serve.Core.Models;
using Serve.Frontend.Commands;

namespace Serve.Frontend.Tuning;

/// <summary>
/// A model store of the tuner's own with one version in it: the model's files are hard links, its configuration is a copy
/// that changes. Removed at the end; the model's own folder is only read.
/// </summary>
internal sealed partial class TuneOverlay : IDisposable
{
    private readonly TuneFolder _folder;
    private readonly string _config;
    private readonly string _originalFile;
    private readonly string _original;
    private readonly string _queueKey;

    private TuneOverlay(TuneFolder folder, ModelSource source, string configName)
    {
        _folder = folder;
        _config = Path.Combine(ModelFolder(folder, source), configName);
        _originalFile = Path.Combine(source.Folder, configName);
        _original = File.Exists(_originalFile) ? File.ReadAllText(_originalFile) : "";

        // The name by which the file has it: both at once are an error.
        _queueKey = source.WrittenKeys.Contains("jobQueueSize") ? "jobQueueSize" : "maxQueueSize";
        Store = Path.Combine(folder.Path, "store");
        Url = $"{source.Name}/{source.Version}";
    }

    /// <summary>The store's folder.</summary>
    public string Store { get; }

    /// <summary>What to register.</summary>
    public string Url { get; }

    /// <summary>Lays a store over a model.</summary>
    /// <param name="source">The model.</param>
    /// <param name="modelStore">Where it lies: the overlay goes there if the folder for temporary files is on another disk.</param>
    public static TuneOverlay Create(ModelSource source, string modelStore)
    {
        var configName = source.Manifest?.ConfigFile ?? ModelConfigurationReader.FileName;
        var folder = TuneFolder.CreateTemporary();
        var model = ModelFolder(folder, source);
        if (!TryLink(source.Folder, model, configName))
        {
            folder.Dispose();
            folder = TuneFolder.CreateIn(modelStore);
            model = ModelFolder(folder, source);
            if (!TryLink(source.Folder, model, configName)) Copy(source.Folder, model, configName);
        }

        return new TuneOverlay(folder, source, configName);
    }

    /// <summary>
    /// Gives the model a setting. Without its latencyTarget, by which it would refuse what the tuner offers it, and without its
    /// cache, which would answer for it.
    /// </summary>
    /// <exception cref="CommandException">The model's configuration is written in a way that cannot be changed key by key.</exception>
    public void Write(TuneSetting setting, int maxQueueSize)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_config)!);
        try
        {
            File.WriteAllText(_config, YamlEdit.Set(_original, [.. setting.ToYaml(), new(_queueKey, maxQueueSize.ToString(CultureInfo.InvariantCulture)), new("latencyTarget", "null"), new("responseCache.enabled", "false")]));
        }
        catch (NotSupportedException e)
        {
            throw new CommandException(ExitCode.Failed, $"{_originalFile} cannot be tuned: {e.Message}");
        }
    }

    public void Dispose() => _folder.Dispose();

    private static string ModelFolder(TuneFolder folder, ModelSource source) => Path.Combine(folder.Path, "store", source.Name, source.Version);

    private static IEnumerable<(string Source, string Target)> Files(string source, string target, string except) =>
        Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories)
            .Where(file => Path.GetRelativePath(source, file) != except)
            .Select(file => (file, Path.Combine(target, Path.GetRelativePath(source, file))));

    private static bool TryLink(string from, string to, string except)
    {
        foreach (var (source, target) in Files(from, to, except))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            var isLinked = OperatingSystem.IsWindows() ? CreateHardLink(target, source, 0) : link(source, target) == 0;
            if (!isLinked) return false;
        }

        return true;
    }

    private static void Copy(string from, string to, string except)
    {
        foreach (var (source, target) in Files(from, to, except))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(source, target, overwrite: true);
        }
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int link(string existing, string created);

    [LibraryImport("kernel32", EntryPoint = "CreateHardLinkW", StringMarshalling = StringMarshalling.Utf16)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool CreateHardLink(string created, string existing, nint attributes);
}
