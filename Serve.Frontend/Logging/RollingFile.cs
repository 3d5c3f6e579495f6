using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Win32.SafeHandles;

namespace Serve.Frontend.Logging;

/// <summary>
/// A log's file: <c>NAME.log</c> is the current one; at midnight (UTC) and before it becomes too large it is put aside as
/// <c>NAME.DATE.NUMBER.log</c>. What cannot be written, because the disk is full, is lost; as soon as there is room the
/// file goes on.
/// </summary>
/// <remarks>
/// Serilog's and NLog's files put a date into the current file's name or bring a configuration language; TorchServe's users
/// follow <c>access_log.log</c>.
/// </remarks>
internal sealed partial class RollingFile : ILineOutput
{
    private readonly string _folder;
    private readonly string _name;
    private readonly long _mostBytes;
    private readonly int _mostFiles;
    private readonly TimeProvider _time;
    private readonly Action<string> _tell;
    private SafeFileHandle? _handle;
    private long _length;
    private DateOnly _day;
    private bool _isFailing;

    /// <param name="folder">The folder.</param>
    /// <param name="name">The file's name without its ending.</param>
    /// <param name="mostBytes">The most bytes of a file.</param>
    /// <param name="mostFiles">How many that were put aside are kept.</param>
    /// <param name="time">The clock.</param>
    /// <param name="tell">Told once when it cannot be written, and once when it can again.</param>
    public RollingFile(string folder, string name, long mostBytes, int mostFiles, TimeProvider time, Action<string> tell)
    {
        (_folder, _name, _mostBytes, _mostFiles, _time, _tell) = (folder, name, mostBytes, mostFiles, time, tell);
    }

    /// <inheritdoc/>
    public bool IsClosed => false;

    private string CurrentPath => Path.Combine(_folder, _name + ".log");

    private DateOnly Today => DateOnly.FromDateTime(_time.GetUtcNow().UtcDateTime);

    /// <inheritdoc/>
    public int Write(ReadOnlySpan<byte> lines)
    {
        try
        {
            while (!lines.IsEmpty)
            {
                if (_handle is null) Open();
                var some = lines[..Fitting(lines, _mostBytes - _length)];
                if (_length > 0 && (Today != _day || some.IsEmpty))
                {
                    PutAside();
                    continue;
                }

                // One that is longer than a file has it for itself.
                if (some.IsEmpty) some = lines[..(lines.IndexOf((byte)'\n') + 1)];
                RandomAccess.Write(_handle!, some, _length);
                _length += some.Length;
                lines = lines[some.Length..];
            }

            if (_isFailing) _tell($"{CurrentPath} can be written again");
            _isFailing = false;
            return 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            if (!_isFailing) _tell($"{CurrentPath} cannot be written, and lines are lost until it can: {e.Message}");
            _isFailing = true;
            DropPart();
            return lines.Count((byte)'\n');
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Close();

    // The bytes of the whole lines among the first so many.
    private static int Fitting(ReadOnlySpan<byte> lines, long most) =>
        lines.Length <= most ? lines.Length : lines[..(int)Math.Max(0, most)].LastIndexOf((byte)'\n') + 1;

    private void Open()
    {
        _handle = File.OpenHandle(CurrentPath, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        _length = RandomAccess.GetLength(_handle);
        _day = _length > 0 ? DateOnly.FromDateTime(File.GetLastWriteTimeUtc(_handle)) : Today;
    }

    private void PutAside()
    {
        Close();
        var number = Aside().Where(file => file.Day == _day).Select(file => file.Number).DefaultIfEmpty(0).Max() + 1;
        File.Move(CurrentPath, Path.Combine(_folder, string.Create(CultureInfo.InvariantCulture, $"{_name}.{_day:yyyy-MM-dd}.{number}.log")));
        foreach (var (path, _, _) in Aside().OrderByDescending(file => (file.Day, file.Number)).Skip(_mostFiles)) File.Delete(path);
        Open();
        _day = Today;
    }

    private IEnumerable<(string Path, DateOnly Day, int Number)> Aside()
    {
        foreach (var path in Directory.GetFiles(_folder, _name + ".*.log"))
        {
            var match = AsideName().Match(Path.GetFileName(path)[_name.Length..]);
            if (match.Success && DateOnly.TryParseExact(match.Groups[1].Value, "yyyy-MM-dd", out var day) && int.TryParse(match.Groups[2].Value, out var number)) yield return (path, day, number);
        }
    }

    // A full disk may have taken the first half of it; what follows must begin where the last whole line ended.
    private void DropPart()
    {
        try
        {
            if (_handle is not null) RandomAccess.SetLength(_handle, _length);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            // It is no file that can be shortened; the next write is tried all the same.
        }

        Close();
    }

    private void Close()
    {
        _handle?.Dispose();
        _handle = null;
    }

    [GeneratedRegex(@"^\.(\d{4}-\d{2}-\d{2})\.(\d{1,9})\.log$")]
    private static partial Regex AsideName();
}
