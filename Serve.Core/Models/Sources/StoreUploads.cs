using Microsoft.Extensions.Logging;
using Serve.Core.Errors;
using Serve.Core.Models.Archives;
using Serve.Core.Models.Snapshots;
using Serve.Core.Onnx;

namespace Serve.Core.Models.Sources;

/// <summary>
/// Takes files into the model store: under a hidden name first, which becomes the file's own when all of it is there, on the
/// disk and right. Nothing of what is refused or breaks off stays.
/// </summary>
/// <param name="store">The model store's folder.</param>
/// <param name="mostBytes">The most that a file may have (<c>maxDownloadSize</c>).</param>
/// <param name="time">The clock.</param>
/// <param name="log">Where it logs.</param>
internal sealed partial class StoreUploads(string store, long mostBytes, TimeProvider time, ILogger log)
{
    private const string Prefix = ".upload-";
    private const int CopyBytes = 128 << 10;

    // Of a server that was killed: whoever uploads writes all the time.
    private static readonly TimeSpan Abandoned = TimeSpan.FromHours(1);

    private readonly ArchiveLimits _limits = new();

    /// <summary>Saves a file.</summary>
    /// <param name="name">Its name: that of an archive or of an <c>.onnx</c> file, without folders.</param>
    /// <param name="content">Its bytes.</param>
    /// <param name="length">How many are announced; null: not said.</param>
    /// <param name="mayHaveCode">Whether an archive may bring programs.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <returns>The file's path.</returns>
    /// <exception cref="ServeException">400 (its name, or what it holds), 403 (it brings programs), 409 (there is one of that name), 413, 507 (no room).</exception>
    public async Task<string> SaveAsync(string name, Stream content, long? length, bool mayHaveCode, CancellationToken cancellation)
    {
        CheckName(name);
        var path = Path.Combine(store, name);
        if (Path.Exists(path)) throw Exists(name);
        if (length > mostBytes) throw new PayloadTooLargeException(mostBytes, "maxDownloadSize");
        if (!Directory.Exists(store)) throw new InternalServerException($"The model store {store} does not exist; make the folder, or set modelStore.");
        if (length > FreeBytes()) throw NoRoom(name, null);

        RemoveAbandoned();
        var temporary = Path.Combine(store, $"{Prefix}{Guid.NewGuid():N}");
        try
        {
            var bytes = await ReceiveAsync(name, content, temporary, cancellation).ConfigureAwait(false);
            if (bytes == 0) throw new BadRequestException($"The request has no body: send the bytes of {name}.");
            Check(name, temporary, mayHaveCode, cancellation);
            Publish(name, temporary, path);
            Writing(name, () =>
            {
                DurableFile.FlushFolder(store);
                return true;
            });
            Log.Saved(log, name, bytes);
            return path;
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    private static void CheckName(string name)
    {
        var stem = ModelArchive.Stem(name) ?? (IsOnnx(name) ? name[..^5] : null);
        if (stem is null) throw new BadRequestException($"The file's name {ArchiveEntries.Shown(name)} must end in .mar, .tar.gz, .tgz or .onnx.");
        if (ModelNames.Fault(stem) is { } fault) throw new BadRequestException($"The file's name {ArchiveEntries.Shown(name)} {fault}.");
    }

    private async Task<long> ReceiveAsync(string name, Stream content, string temporary, CancellationToken cancellation)
    {
        var file = Writing(name, () => new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 0));
        await using (file.ConfigureAwait(false))
        {
            var buffer = new byte[CopyBytes];
            var bytes = 0L;
            int read;

            // A thread that serves sockets may bring the bytes; files are not written on it.
            while ((read = await content.ReadAtLeastAsync(buffer, CopyBytes, throwOnEndOfStream: false, cancellation).AsTask().ConfigureAwait(ConfigureAwaitOptions.ForceYielding)) > 0)
            {
                bytes += read;
                if (bytes > mostBytes) throw new PayloadTooLargeException(mostBytes, "maxDownloadSize");
                Writing(name, () =>
                {
                    file.Write(buffer, 0, read);
                    return true;
                });
            }

            // What is registered from it will be promised to survive.
            Writing(name, () =>
            {
                file.Flush(flushToDisk: true);
                return true;
            });
            return bytes;
        }
    }

    private void Check(string name, string temporary, bool mayHaveCode, CancellationToken cancellation)
    {
        if (IsOnnx(name))
        {
            try
            {
                OnnxOutlineReader.ReadFile(temporary);
            }
            catch (InvalidDataException e)
            {
                throw new InvalidModelException($"The file {name} cannot be used: {e.Message}", e);
            }

            return;
        }

        var files = ModelArchive.Check(temporary, _limits, name, cancellation);
        if (!mayHaveCode && files.FirstOrDefault(CodeFiles.Include) is { } code)
        {
            throw new ServeException(403, "ForbiddenException", $"The archive {name} brings a program, {ArchiveEntries.Shown(code)}, which is taken only where the listener asks for tokens or client certificates. Put the archive into the model store, or configure managementTokens.");
        }
    }

    private static void Publish(string name, string temporary, string path)
    {
        try
        {
            File.Move(temporary, path, overwrite: false);
        }
        catch (IOException) when (Path.Exists(path))
        {
            throw Exists(name);
        }
    }

    private void RemoveAbandoned()
    {
        var before = time.GetUtcNow() - Abandoned;
        foreach (var file in new DirectoryInfo(store).EnumerateFiles(Prefix + "*").Where(file => file.LastWriteTimeUtc < before)) file.Delete();
    }

    private long FreeBytes() => new DriveInfo(store).AvailableFreeSpace;

    private T Writing<T>(string name, Func<T> write)
    {
        try
        {
            return write();
        }
        catch (IOException e) when (DiskSpace.IsExhausted(e))
        {
            throw NoRoom(name, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InternalServerException($"{name} cannot be written into the model store {store}: {e.Message}", e);
        }
    }

    private OutOfResourcesException NoRoom(string name, Exception? cause) => new($"There is no room for {name} in the model store {store}.", cause);

    private static ConflictStatusException Exists(string name) => new($"The model store has a {name} already.");

    private static bool IsOnnx(string name) => name.EndsWith(".onnx", StringComparison.OrdinalIgnoreCase);

    private static partial class Log
    {
        [LoggerMessage(75, LogLevel.Information, "took {Name} into the model store: {Bytes} bytes")]
        public static partial void Saved(ILogger log, string name, long bytes);
    }
}
