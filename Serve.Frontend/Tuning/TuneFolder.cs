namespace Serve.Frontend.Tuning;

/// <summary>
/// A folder of a tuning that runs, deleted at its end. A tuner that was killed leaves it behind; the next one deletes it. Whose
/// tuner lives is told by a lock on a file in it, which ends with its process.
/// </summary>
internal sealed class TuneFolder : IDisposable
{
    /// <summary>What names begin with in the folder for temporary files.</summary>
    public const string Prefix = "serve-tune-";

    private const string LockName = ".in-use";

    // Between the making of a folder and of its lock.
    private static readonly TimeSpan Newborn = TimeSpan.FromMinutes(1);

    private readonly FileStream _lock;

    private TuneFolder(string path)
    {
        Path = path;
        _lock = new FileStream(System.IO.Path.Combine(path, LockName), FileMode.Create, FileAccess.Write, FileShare.None);
    }

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>A folder in the one for temporary files.</summary>
    public static TuneFolder CreateTemporary() => new(Directory.CreateTempSubdirectory(Prefix).FullName);

    /// <summary>A folder in another, under a name that a model cannot have: with a dot at its beginning.</summary>
    public static TuneFolder CreateIn(string parent) => new(Directory.CreateDirectory(System.IO.Path.Combine(parent, $".{Prefix}{Environment.ProcessId}")).FullName);

    /// <summary>Deletes what killed tuners have left in the folder for temporary files and in a model store, as far as this user may.</summary>
    /// <param name="modelStore">The model store; it need not exist.</param>
    /// <param name="temporary">The folder for temporary files; null: the system's.</param>
    /// <returns>How many folders.</returns>
    public static int RemoveLeftOvers(string modelStore, string? temporary = null)
    {
        IEnumerable<string> Folders(string parent, string pattern) => Directory.Exists(parent) ? Directory.EnumerateDirectories(parent, pattern) : [];
        return Folders(temporary ?? System.IO.Path.GetTempPath(), Prefix + "*").Concat(Folders(modelStore, $".{Prefix}*")).ToList().Count(TryRemove);
    }

    public void Dispose()
    {
        _lock.Dispose();
        Directory.Delete(Path, recursive: true);
    }

    private static bool TryRemove(string folder)
    {
        try
        {
            var info = new DirectoryInfo(folder);
            if (info.LinkTarget is not null) return false;
            var file = System.IO.Path.Combine(folder, LockName);
            if (!File.Exists(file) && DateTime.UtcNow - info.LastWriteTimeUtc < Newborn) return false;

            // Opens only when nobody has it open.
            if (File.Exists(file)) new FileStream(file, FileMode.Open, FileAccess.Write, FileShare.None).Dispose();
            info.Delete(recursive: true);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // In use, another user's, or gone meanwhile.
            return false;
        }
    }
}
