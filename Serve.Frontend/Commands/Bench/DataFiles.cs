using System.Globalization;

namespace Serve.Frontend.Commands.Bench;

/// <summary>Files as request bodies: all of them in memory before the load begins.</summary>
internal static class DataFiles
{
    private const long MostBytes = 1L << 30;
    private const int MostFiles = 100_000;

    private static readonly Dictionary<string, string> MediaTypes = new(StringComparer.OrdinalIgnoreCase)
    {
        [".jpg"] = "image/jpeg",
        [".jpeg"] = "image/jpeg",
        [".png"] = "image/png",
        [".gif"] = "image/gif",
        [".bmp"] = "image/bmp",
        [".tif"] = "image/tiff",
        [".tiff"] = "image/tiff",
        [".webp"] = "image/webp",
        [".json"] = "application/json",
        [".txt"] = "text/plain",
    };

    /// <summary>Reads files, and those that lie in folders, in the order of their names; hidden ones, documents (*.md) and folders in folders are left out.</summary>
    /// <exception cref="CommandException">There is none, or they are too large.</exception>
    public static IReadOnlyList<RequestBody> Read(IEnumerable<string> paths)
    {
        var bodies = new List<RequestBody>();
        long bytes = 0;
        foreach (var file in paths.SelectMany(FilesOf))
        {
            bytes += new FileInfo(file).Length;
            if (bytes > MostBytes || bodies.Count == MostFiles) throw new CommandException(ExitCode.Usage, $"--data: there are more than {MostFiles.ToString("#,0", CultureInfo.InvariantCulture)} files or {ModelTables.Bytes(MostBytes)}, which would all be held in memory; give fewer.");
            bodies.Add(new RequestBody(MediaTypes.GetValueOrDefault(Path.GetExtension(file), "application/octet-stream"), File.ReadAllBytes(file)));
        }

        return bodies;
    }

    private static IEnumerable<string> FilesOf(string path)
    {
        if (File.Exists(path)) return [path];
        if (!Directory.Exists(path)) throw new CommandException(ExitCode.Usage, $"--data: there is no file or folder {path}.");
        var files = Directory.EnumerateFiles(path).Where(file => Path.GetFileName(file)[0] != '.' && !file.EndsWith(".md", StringComparison.OrdinalIgnoreCase)).Order(StringComparer.Ordinal).ToList();
        return files.Count > 0 ? files : throw new CommandException(ExitCode.Usage, $"--data: the folder {path} has no files.");
    }
}
