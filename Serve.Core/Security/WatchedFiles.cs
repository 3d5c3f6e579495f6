using System.Security.Cryptography;
using Microsoft.Extensions.Logging;

namespace Serve.Core.Security;

/// <summary>
/// Files with secrets, read again when their content changes: tokens, certificates, keys. They are looked at once a
/// second, content and not time: also a file that is replaced through a link, as Kubernetes does, is seen, and no change is missed.
/// </summary>
/// <param name="time">The clock.</param>
/// <param name="log">Where it is told what was read again, and what could not be.</param>
public sealed partial class WatchedFiles(TimeProvider time, ILogger log) : IDisposable
{
    private const int LargestFile = 1 << 20;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly List<Group> _groups = [];
    private ITimer? _timer;

    /// <summary>Reads files that belong together, now and whenever one of them has changed.</summary>
    /// <param name="paths">The files.</param>
    /// <param name="apply">
    /// Takes their contents, in the order of the paths; they are wiped after it. What it throws the first time is thrown here; later it is logged, and
    /// what held before holds on.
    /// </param>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">Likewise.</exception>
    public void Add(IReadOnlyList<string> paths, Action<IReadOnlyList<byte[]>> apply)
    {
        ArgumentNullException.ThrowIfNull(apply);
        var group = new Group(paths, apply);
        group.Read();
        lock (_gate) _groups.Add(group);
        _timer ??= time.CreateTimer(static state => ((WatchedFiles)state!).Check(), this, Interval, Interval);
    }

    /// <inheritdoc/>
    public void Dispose() => _timer?.Dispose();

    private void Check()
    {
        // A look that takes longer than a second, on a disk far away, is not overtaken by the next.
        if (!_gate.TryEnter()) return;
        try
        {
            foreach (var group in _groups) Check(group);
        }
        finally
        {
            _gate.Exit();
        }
    }

    private void Check(Group group)
    {
        var names = string.Join(", ", group.Paths);
        try
        {
            if (group.Read()) LogChanged(names);
            group.Fault = null;
        }
        catch (Exception e)
        {
            // Once for each fault: it stays until somebody mends it.
            if (group.Fault != e.Message) LogKept(names, e.Message);
            group.Fault = e.Message;
        }
    }

    [LoggerMessage(60, LogLevel.Information, "{Files}: changed, and read again")]
    private partial void LogChanged(string files);

    [LoggerMessage(61, LogLevel.Warning, "{Files}: cannot be used as it is now, so what was read before goes on: {Reason}")]
    private partial void LogKept(string files, string reason);

    private sealed class Group(IReadOnlyList<string> paths, Action<IReadOnlyList<byte[]>> apply)
    {
        private byte[] _seen = [];

        public IReadOnlyList<string> Paths { get; } = paths;

        public string? Fault { get; set; }

        /// <summary>Reads the files and applies them if they are not what they were.</summary>
        /// <returns>Whether they were applied.</returns>
        public bool Read()
        {
            var contents = new List<byte[]>();
            try
            {
                foreach (var path in Paths) contents.Add(ReadFile(path));
                var now = Fingerprint(contents);
                if (now.AsSpan().SequenceEqual(_seen)) return false;
                apply(contents);
                _seen = now;
                return true;
            }
            finally
            {
                foreach (var content in contents) CryptographicOperations.ZeroMemory(content);
            }
        }

        private static byte[] ReadFile(string path)
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 1);
            if (file.Length > LargestFile) throw new IOException($"{path} is larger than {LargestFile} bytes.");
            var content = new byte[file.Length];
            file.ReadExactly(content);
            return content;
        }

        private static byte[] Fingerprint(List<byte[]> contents)
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            foreach (var content in contents)
            {
                hash.AppendData(BitConverter.GetBytes(content.Length));
                hash.AppendData(content);
            }

            return hash.GetHashAndReset();
        }
    }
}
