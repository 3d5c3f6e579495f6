using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Logging;
using Serve.Core.Protocol;

namespace Serve.Worker.Execution.Loading;

/// <summary>
/// Optimized graphs of earlier starts, each in a folder of its own that appears complete or not at all. Several workers and
/// servers use one cache at once: one of them writes an entry, the others do without until it is there.
/// </summary>
/// <remarks>
/// An entry that is damaged, cut off or of another key is removed and made again. The least recently used go first when
/// there are too many bytes; a worker that still maps one keeps it until it ends. Nothing is forced onto the disk, which can
/// take minutes on a busy one: what a power failure leaves is found out by its size and samples.
/// </remarks>
internal sealed partial class OptimizedModelCache
{
    private const string Model = "model.onnx";

    /// <summary>The name of the file beside an entry's model for its weights.</summary>
    public const string DataFileName = "model.onnx.data";

    private const string Description = "entry.json";
    private const string TemporaryPrefix = ".writing-";

    /// <summary>Left free on the disk, for whoever else needs some.</summary>
    private const long FreeBytes = 1L << 30;

    /// <summary>How long an entry is not tried again whose writer was killed.</summary>
    private static readonly TimeSpan PauseAfterFailure = TimeSpan.FromHours(12);

    private readonly string _folder;
    private readonly long _limitBytes;
    private readonly ILogger _logger;

    private OptimizedModelCache(string folder, long limitBytes, ILogger logger)
    {
        _folder = folder;
        _limitBytes = limitBytes;
        _logger = logger;
    }

    /// <summary>The cache that a Load names; null if it names none. Its folder is made when something is kept.</summary>
    public static OptimizedModelCache? Of(CacheMessage? message, ILogger logger) =>
        message is null ? null : new OptimizedModelCache(Path.Combine(message.Folder, "optimized"), message.LimitBytes, logger);

    /// <summary>The model's path of an entry; null if there is none, or it was damaged and has been removed.</summary>
    public string? Find(string key)
    {
        var entry = Path.Combine(_folder, key);
        try
        {
            if (!Directory.Exists(entry)) return null;
            PrivateFolder.Check(_folder);
            var description = Path.Combine(entry, Description);
            var expected = JsonSerializer.Deserialize(File.ReadAllBytes(description), EntryJson.Default.Entry);
            if (expected is null || expected != Describe(entry, key)) throw new InvalidDataException("its content is not what was written");
            File.SetLastWriteTimeUtc(description, DateTime.UtcNow); // used: the last to go
            return Path.Combine(entry, Model);
        }
        catch (Exception e) when (e is InvalidDataException or JsonException or IOException or UnauthorizedAccessException)
        {
            Log.Damaged(_logger, entry, e.Message);
            Remove(key);
            return null;
        }
    }

    /// <summary>Removes an entry that turned out to be of no use.</summary>
    public void Remove(string key) => Delete(Path.Combine(_folder, key));

    /// <summary>Begins to write an entry.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="expectedBytes">About how large it will be.</param>
    /// <returns>Null if another worker writes it, or there is no room.</returns>
    public Writing? Begin(string key, long expectedBytes)
    {
        try
        {
            PrivateFolder.Open(_folder);
            if (expectedBytes > _limitBytes || expectedBytes + FreeBytes > new DriveInfo(_folder).AvailableFreeSpace)
            {
                Log.NoRoom(_logger, _folder, expectedBytes);
                return null;
            }

            // Whoever holds the lock is the only writer of this key: what others left behind is of killed processes.
            // Killed perhaps because writing took longer than a start may: the next start does without.
            var gate = OpenGate(Path.Combine(_folder, TemporaryPrefix + key + ".lock"));
            if (gate is null)
            {
                Log.WrittenElsewhere(_logger);
                return null;
            }

            var temporary = Path.Combine(_folder, TemporaryPrefix + key);
            if (Directory.Exists(temporary) && DateTime.UtcNow - Directory.GetCreationTimeUtc(temporary) < PauseAfterFailure)
            {
                gate.Dispose();
                Log.Pausing(_logger, temporary);
                return null;
            }

            Delete(temporary);
            PrivateFolder.Open(temporary);
            return new Writing(this, key, temporary, gate);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Log.NoCache(_logger, _folder, e.Message);
            return null;
        }
    }

    /// <returns>Null if another process has it.</returns>
    private static FileStream? OpenGate(string path)
    {
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
        }
        catch (IOException) when (File.Exists(path))
        {
            return null;
        }
    }

    private static Entry Describe(string folder, string key)
    {
        var model = Path.Combine(folder, Model);
        var data = Path.Combine(folder, DataFileName);
        using var fingerprint = new ContentFingerprint();
        fingerprint.AddSamples(model);
        if (File.Exists(data)) fingerprint.AddSamples(data);
        return new Entry(key, new FileInfo(model).Length, File.Exists(data) ? new FileInfo(data).Length : 0, fingerprint.Finish());
    }

    /// <summary>Removes the least recently used entries beyond the limit, and what killed writers left.</summary>
    private void Trim(string newest)
    {
        long total = 0;
        var entries = Directory.EnumerateDirectories(_folder)
            .Where(entry => !Path.GetFileName(entry).StartsWith(TemporaryPrefix, StringComparison.Ordinal))
            .OrderByDescending(entry => Path.GetFileName(entry) == newest)
            .ThenByDescending(entry => File.GetLastWriteTimeUtc(Path.Combine(entry, Description)));
        foreach (var entry in entries.ToList())
        {
            var bytes = Directory.EnumerateFiles(entry).Sum(file => new FileInfo(file).Length);
            if (total + bytes <= _limitBytes)
            {
                total += bytes;
                continue;
            }

            Log.Evicted(_logger, entry, bytes);
            Delete(entry);
        }

        foreach (var folder in Directory.EnumerateDirectories(_folder, TemporaryPrefix + "*"))
        {
            if (DateTime.UtcNow - Directory.GetLastWriteTimeUtc(folder) > TimeSpan.FromDays(1)) Delete(folder);
        }
    }

    private void Delete(string folder)
    {
        try
        {
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another worker may be removing it too.
            Log.NotRemoved(_logger, folder, e.Message);
        }
    }

    /// <summary>An entry that is being written; gone when it is disposed of without a commit.</summary>
    public sealed class Writing : IDisposable
    {
        private readonly OptimizedModelCache _cache;
        private readonly string _key;
        private readonly string _folder;
        private readonly FileStream _gate;

        internal Writing(OptimizedModelCache cache, string key, string folder, FileStream gate)
        {
            _cache = cache;
            _key = key;
            _folder = folder;
            _gate = gate;
        }

        /// <summary>Where the optimized graph goes.</summary>
        public string ModelFile => Path.Combine(_folder, Model);

        /// <summary>Makes the entry appear.</summary>
        /// <returns>The model's path in the cache; null if the disk did not want it.</returns>
        public string? Commit()
        {
            try
            {
                File.WriteAllBytes(Path.Combine(_folder, Description), JsonSerializer.SerializeToUtf8Bytes(Describe(_folder, _key), EntryJson.Default.Entry));
                var entry = Path.Combine(_cache._folder, _key);
                Directory.Move(_folder, entry);
                _cache.Trim(_key);
                return Path.Combine(entry, Model);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Log.NotWritten(_cache._logger, e.Message);
                return null;
            }
        }

        public void Dispose()
        {
            _cache.Delete(_folder);
            _gate.Dispose();
        }
    }

    internal sealed record Entry(string Key, long ModelBytes, long DataBytes, string Fingerprint);

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "The cache folder {Folder} is not used: {Reason}")]
        public static partial void NoCache(ILogger logger, string folder, string reason);

        [LoggerMessage(2, LogLevel.Warning, "The optimized model {Entry} is of no use and is made again: {Reason}")]
        public static partial void Damaged(ILogger logger, string entry, string reason);

        [LoggerMessage(3, LogLevel.Information, "The optimized model is not kept: {Folder} has no room for about {Bytes} bytes (cacheSize, or the disk)")]
        public static partial void NoRoom(ILogger logger, string folder, long bytes);

        [LoggerMessage(4, LogLevel.Information, "The optimized model is not kept: another worker is writing it")]
        public static partial void WrittenElsewhere(ILogger logger);

        [LoggerMessage(8, LogLevel.Warning, "The optimized model is not kept: the worker that tried last was killed meanwhile ({Folder}; remove it to try again at once, and give the start more time: startupTimeout)")]
        public static partial void Pausing(ILogger logger, string folder);

        [LoggerMessage(5, LogLevel.Information, "The optimized model {Entry} of {Bytes} bytes was removed to keep within cacheSize")]
        public static partial void Evicted(ILogger logger, string entry, long bytes);

        [LoggerMessage(6, LogLevel.Warning, "{Folder} was not removed: {Reason}")]
        public static partial void NotRemoved(ILogger logger, string folder, string reason);

        [LoggerMessage(7, LogLevel.Warning, "The optimized model was not kept: {Reason}")]
        public static partial void NotWritten(ILogger logger, string reason);
    }
}

[JsonSerializable(typeof(OptimizedModelCache.Entry))]
internal sealed partial class EntryJson : JsonSerializerContext;
