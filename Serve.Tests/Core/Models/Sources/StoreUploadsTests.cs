using System.IO.Compression;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Serve.Core.Errors;
using Serve.Core.Models.Sources;

namespace Serve.Tests.Core.Models.Sources;

public sealed class StoreUploadsTests : IDisposable
{
    private const int MostBytes = 4 << 20;

    private readonly TemporaryFolder _store = new();
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);

    public void Dispose() => _store.Dispose();

    [Theory]
    [InlineData("", "must end in")]
    [InlineData("x", "must end in")]
    [InlineData("x.zip", "must end in")]
    [InlineData(".mar", "is empty")]
    [InlineData("../x.mar", "begins with a dot")]
    [InlineData("a/x.mar", "characters other than")]
    [InlineData("a\\x.mar", "characters other than")]
    [InlineData("..x.mar", "begins with a dot")]
    [InlineData(".hidden.mar", "begins with a dot")]
    [InlineData("a\0.mar", "characters other than")]
    [InlineData("%2e%2e.mar", "characters other than")]
    [InlineData("bücher.onnx", "characters other than")]
    public async Task A_name_that_is_none_is_refused(string name, string why) =>
        Assert.Contains(why, (await RefusedAsync<BadRequestException>(name, Archive("f", "x"))).Message, StringComparison.Ordinal);

    [Fact]
    public async Task A_name_that_is_too_long_is_refused() =>
        Assert.Contains("longer than 128", (await RefusedAsync<BadRequestException>(new string('a', 300) + ".mar", Archive("f", "x"))).Message, StringComparison.Ordinal);

    [Fact]
    public async Task A_good_archive_is_there_whole_under_its_name()
    {
        var archive = Archive("model.onnx", "no matter");
        var path = await SaveAsync("good.mar", new MemoryStream(archive));

        Assert.Equal((_store["good.mar"], "good.mar"), (path, Path.GetFileName(Assert.Single(Directory.GetFileSystemEntries(_store.Path)))));
        Assert.Equal(archive, await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_model_without_an_archive_is_taken_if_it_is_one()
    {
        var model = await File.ReadAllBytesAsync(Path.Combine(Repository.Root, "model-store", "fashion-vit", "1.0", "model.onnx"), TestContext.Current.CancellationToken);
        await SaveAsync("bare.onnx", new MemoryStream(model));
        Assert.True(File.Exists(_store["bare.onnx"]));

        await RefusedAsync<InvalidModelException>("cut.onnx", model[..^100]);
        await RefusedAsync<InvalidModelException>("text.onnx", "not an ONNX file"u8.ToArray());
    }

    [Fact]
    public async Task What_is_there_stays()
    {
        await SaveAsync("kept.mar", new MemoryStream(Archive("f", "first")));
        var before = await File.ReadAllBytesAsync(_store["kept.mar"], TestContext.Current.CancellationToken);

        await Assert.ThrowsAsync<ConflictStatusException>(() => SaveAsync("kept.mar", new MemoryStream(Archive("f", "second"))));
        Assert.Equal(before, await File.ReadAllBytesAsync(_store["kept.mar"], TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Of_two_at_once_with_one_name_one_is_taken()
    {
        var slow = new PausedStream(Archive("f", "slow"));
        var first = SaveAsync("same.mar", slow);
        await slow.IsAskedForMore;
        await SaveAsync("same.mar", new MemoryStream(Archive("f", "quick")));
        slow.GoOn();

        await Assert.ThrowsAsync<ConflictStatusException>(() => first);
        Assert.Equal("same.mar", Path.GetFileName(Assert.Single(Directory.GetFileSystemEntries(_store.Path))));
    }

    [Fact]
    public async Task An_empty_or_broken_archive_is_refused()
    {
        var archive = Archive("model.onnx", new string('x', 100_000));
        await RefusedAsync<BadRequestException>("empty.mar", []);
        await RefusedAsync<InvalidModelException>("text.mar", "not an archive"u8.ToArray());
        await RefusedAsync<InvalidModelException>("cut.mar", archive[..^30]);
        await RefusedAsync<InvalidModelException>("cut.tgz", archive[..30]);

        // Its list of entries is right, what they hold is not.
        var damaged = archive.ToArray();
        damaged[60] ^= 0xFF;
        await RefusedAsync<InvalidModelException>("damaged.mar", damaged);
    }

    [Fact]
    public async Task Too_many_bytes_are_refused_announced_or_not()
    {
        await RefusedAsync<PayloadTooLargeException>("large.mar", new byte[MostBytes + 1]);
        var announced = await Assert.ThrowsAsync<PayloadTooLargeException>(() => Uploads().SaveAsync("large.mar", Stream.Null, MostBytes + 1, true, TestContext.Current.CancellationToken));
        Assert.Contains("maxDownloadSize", announced.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<OutOfResourcesException>(() => new StoreUploads(_store.Path, long.MaxValue, _time, NullLogger.Instance).SaveAsync("huge.mar", Stream.Null, 1L << 60, true, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Of_an_upload_that_breaks_off_nothing_stays()
    {
        var broken = new PausedStream(Archive("f", "x"));
        var saving = SaveAsync("half.mar", broken);
        await broken.IsAskedForMore;
        Assert.Single(Directory.GetFileSystemEntries(_store.Path), path => Path.GetFileName(path).StartsWith(".upload-", StringComparison.Ordinal));
        broken.Break();

        await Assert.ThrowsAsync<EndOfStreamException>(() => saving);
        Assert.Empty(Directory.GetFileSystemEntries(_store.Path));
    }

    [Fact]
    public async Task What_a_killed_server_left_goes_when_it_is_old()
    {
        _store.Write(".upload-old", "x");
        _store.Write(".upload-new", "x");
        File.SetLastWriteTimeUtc(_store[".upload-old"], DateTime.UtcNow.AddHours(-2));

        await SaveAsync("next.mar", new MemoryStream(Archive("f", "x")));
        Assert.Equal([".upload-new", "next.mar"], Directory.GetFileSystemEntries(_store.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("Handler.dll")]
    [InlineData("native/libx.SO")]
    public async Task Programs_are_taken_only_from_whom_the_listener_knows(string program)
    {
        var archive = Archive(program, "MZ");
        var refused = await Assert.ThrowsAsync<ServeException>(() => Uploads().SaveAsync("code.mar", new MemoryStream(archive), null, mayHaveCode: false, TestContext.Current.CancellationToken));
        Assert.Equal(403, refused.Status);
        Assert.Empty(Directory.GetFileSystemEntries(_store.Path));

        await SaveAsync("code.mar", new MemoryStream(archive));
        Assert.True(File.Exists(_store["code.mar"]));
    }

    [Fact]
    public async Task A_full_disk_is_told_and_nothing_stays()
    {
        using var disk = SmallDisk.Mount("256k");
        Assert.SkipWhen(disk is null, SmallDisk.NeedsRoot);
        var uploads = new StoreUploads(disk!.Path, MostBytes, _time, NullLogger.Instance);
        var refused = await Assert.ThrowsAsync<OutOfResourcesException>(() => uploads.SaveAsync("large.mar", new MemoryStream(new byte[1 << 20]), null, true, TestContext.Current.CancellationToken));
        Assert.Equal(507, refused.Status);
        Assert.Empty(Directory.GetFileSystemEntries(disk.Path));
    }

    private StoreUploads Uploads() => new(_store.Path, MostBytes, _time, NullLogger.Instance);

    private Task<string> SaveAsync(string name, Stream content) => Uploads().SaveAsync(name, content, null, mayHaveCode: true, TestContext.Current.CancellationToken);

    private async Task<T> RefusedAsync<T>(string name, byte[] content)
        where T : ServeException
    {
        var before = Directory.GetFileSystemEntries(_store.Path);
        var refused = await Assert.ThrowsAsync<T>(() => SaveAsync(name, new MemoryStream(content)));
        Assert.Equal(before, Directory.GetFileSystemEntries(_store.Path));
        return refused;
    }

    private static byte[] Archive(string file, string content)
    {
        using var bytes = new MemoryStream();
        using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        using (var entry = new StreamWriter(zip.CreateEntry(file, CompressionLevel.NoCompression).Open())) entry.Write(content);
        return bytes.ToArray();
    }

    /// <summary>Gives its bytes, and its end only when it is told to.</summary>
    private sealed class PausedStream(byte[] bytes) : MemoryStream(bytes)
    {
        private readonly TaskCompletionSource _isAsked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _goOn = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task IsAskedForMore => _isAsked.Task;

        public void GoOn() => _goOn.SetResult();

        public void Break() => _goOn.SetException(new EndOfStreamException());

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (Position < Length) return Read(buffer.Span);
            _isAsked.TrySetResult();
            await _goOn.Task;
            return 0;
        }
    }
}
