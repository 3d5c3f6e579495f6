using System.Diagnostics;
using System.Globalization;

namespace Serve.Core.Models;

/// <summary>
/// The folders that archives are unpacked to. Their names carry the process that made them, so that what a killed server
/// left behind is told from what a living one uses, and goes at the next start.
/// </summary>
internal sealed class UnpackedFolders(string parent)
{
    private const string Prefix = "unpacked";

    /// <summary>Tells this process from an earlier one that had its number, as in a container, where every server is process 1.</summary>
    private static readonly string ThisProcess = $"{Environment.ProcessId}-{Guid.NewGuid():N}";

    private readonly Lock _gate = new();
    private bool _isClean;

    /// <summary>A path for a model that does not exist yet.</summary>
    public string Next(string model)
    {
        lock (_gate)
        {
            if (!_isClean) RemoveLeftovers();
            _isClean = true;
        }

        return Path.Combine(parent, $"{Prefix}-{ThisProcess}-{model}-{Guid.NewGuid():N}");
    }

    /// <summary>Removes a folder. One that cannot be removed now (a file is still open somewhere) goes at the next start.</summary>
    public static void Remove(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // Removed already: a source may be disposed twice.
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Trace.TraceWarning($"The unpacked model {folder} could not be removed: {error.Message}");
        }
    }

    private void RemoveLeftovers()
    {
        if (!Directory.Exists(parent)) return;

        foreach (var folder in Directory.EnumerateDirectories(parent, $"{Prefix}-*", ModelFolder.Accessible))
        {
            var words = Path.GetFileName(folder).Split('-');
            if (words.Length < 3 || !int.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out var process)) continue;
            if ($"{words[1]}-{words[2]}" == ThisProcess || process != Environment.ProcessId && IsAlive(process)) continue;

            Remove(folder);
        }
    }

    private static bool IsAlive(int process)
    {
        try
        {
            using var _ = Process.GetProcessById(process);
            return true;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
