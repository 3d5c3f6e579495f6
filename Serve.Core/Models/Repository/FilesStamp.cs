using System.Globalization;
using System.IO.Hashing;
using System.Text;

namespace Serve.Core.Models.Repository;

/// <summary>Tells whether the files of a model have changed: from their names, lengths and times, without reading them.</summary>
internal static class FilesStamp
{
    /// <summary>The stamp of a file, or of all files in a folder.</summary>
    public static string Of(string path)
    {
        var files = Directory.Exists(path) ? Directory.EnumerateFiles(path, "*", new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true }).Order(StringComparer.Ordinal) : Enumerable.Repeat(path, 1);
        var hash = new XxHash128();
        foreach (var file in files.Select(static file => new FileInfo(file)))
        {
            hash.Append(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{file.FullName}\n{(file.Exists ? file.Length : -1)}\n{file.LastWriteTimeUtc.Ticks}\n")));
        }

        return Convert.ToHexString(hash.GetCurrentHash());
    }
}
