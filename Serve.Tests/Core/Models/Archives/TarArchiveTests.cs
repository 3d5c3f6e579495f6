using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using Serve.Core.Errors;
using Serve.Core.Models.Archives;

namespace Serve.Tests.Core.Models.Archives;

public sealed class TarArchiveTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Files_and_folders_come_out_as_they_went_in()
    {
        var modified = new DateTimeOffset(2024, 2, 3, 4, 5, 6, TimeSpan.Zero);
        var archive = Tar(tar =>
        {
            Add(tar, "model.onnx", [1, 2, 3], modified);
            Add(tar, "sub/labels.txt", "a\nb"u8.ToArray());
            tar.WriteEntry(new PaxTarEntry(TarEntryType.Directory, "empty"));
            Add(tar, "none", []);
        });

        var destination = Extract(archive);

        Assert.Equal([1, 2, 3], File.ReadAllBytes(Path.Combine(destination, "model.onnx")));
        Assert.Equal(modified.UtcDateTime, File.GetLastWriteTimeUtc(Path.Combine(destination, "model.onnx")));
        Assert.Equal("a\nb", File.ReadAllText(Path.Combine(destination, "sub/labels.txt")));
        Assert.True(Directory.Exists(Path.Combine(destination, "empty")));
        Assert.Empty(File.ReadAllBytes(Path.Combine(destination, "none")));
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(destination));
    }

    [Theory]
    [InlineData("m/", "m/")]
    [InlineData("./", "./")]
    [InlineData("", "")]
    public void The_folder_around_everything_is_left_out(string root, string prefix)
    {
        // torch-model-archiver's: no entries for folders, the manifest last. And those of tar -czf x.tgz folder, and of tar -C folder .
        var archive = Tar(tar =>
        {
            if (root.Length > 0) tar.WriteEntry(new GnuTarEntry(TarEntryType.Directory, root));
            Add(tar, prefix + "model.onnx", [1]);
            Add(tar, prefix + ModelManifest.EntryName, """{"model": {"modelName": "m", "modelVersion": "7"}}"""u8.ToArray());
        });

        Assert.Equal(("m", "7"), (ModelArchive.ReadManifest(archive, new())!.ModelName, ModelArchive.ReadManifest(archive, new())!.ModelVersion));
        var destination = Extract(archive);
        Assert.True(File.Exists(Path.Combine(destination, "model.onnx")));
        Assert.True(File.Exists(Path.Combine(destination, ModelManifest.EntryName)));
    }

    [Theory]
    [InlineData(TarEntryFormat.Gnu)]
    [InlineData(TarEntryFormat.Pax)]
    [InlineData(TarEntryFormat.Ustar)]
    [InlineData(TarEntryFormat.V7)]
    public void Every_format_of_tar_is_read(TarEntryFormat format)
    {
        var name = format is TarEntryFormat.V7 ? "short" : $"{new string('a', 90)}/{new string('b', 90)}";
        var archive = Tar(tar => Add(tar, name, [9]), format);
        Assert.Equal([9], File.ReadAllBytes(Path.Combine(Extract(archive), Path.GetFileName(name))));
    }

    [Theory]
    [InlineData("/etc/cron.d/x", "is absolute")]
    [InlineData("../x", "contains the segment ..")]
    [InlineData("./../x", "contains the segment ..")]
    [InlineData("a/../../x", "contains the segment ..")]
    [InlineData("..\\x", "contains a backslash")]
    [InlineData("C:/x", "contains a colon")]
    [InlineData("a//x", "has an empty segment")]
    [InlineData("a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q", "is deeper than 16 folders")]
    public void A_path_that_could_lead_out_is_refused(string name, string message) => Refused(Tar(tar =>
    {
        Add(tar, "good", [1]);
        Add(tar, name, [1]);
    }), message);

    [Fact]
    public void A_name_that_no_disk_takes_is_refused() => Refused(Tar(tar => Add(tar, $"a/{new string('ü', 128)}", [1])), "has a segment of more than 255 bytes");

    [Fact]
    public void A_full_disk_is_no_fault_of_the_archives()
    {
        using var disk = SmallDisk.Mount("256k");
        Assert.SkipWhen(disk is null, SmallDisk.NeedsRoot);

        // Zeros: it packs them so well that nothing is known of its size before.
        var archive = Tar(tar => Add(tar, "model.onnx", new byte[1 << 20]));

        var error = Assert.Throws<OutOfResourcesException>(() => ModelArchive.Extract(archive, disk!["model"], new ArchiveLimits(), TestContext.Current.CancellationToken));
        Assert.Contains(Path.GetFileName(archive), error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(disk!.Path));
    }

    [Theory]
    [InlineData(TarEntryType.SymbolicLink)]
    [InlineData(TarEntryType.HardLink)]
    [InlineData(TarEntryType.CharacterDevice)]
    [InlineData(TarEntryType.BlockDevice)]
    [InlineData(TarEntryType.Fifo)]
    public void Links_and_devices_are_refused(TarEntryType type) => Refused(Tar(tar =>
    {
        Add(tar, "good", [1]);
        var entry = new PaxTarEntry(type, "special");
        if (type is TarEntryType.SymbolicLink or TarEntryType.HardLink) entry.LinkName = "/etc/passwd";
        tar.WriteEntry(entry);
    }), "\"special\" is a link or another special file");

    [Theory]
    [InlineData("model.onnx", "MODEL.onnx", "stands twice")]
    [InlineData("a", "a/b", "lies in \"a\", which is a file")]
    public void Two_entries_for_one_place_are_refused(string first, string second, string message) => Refused(Tar(tar =>
    {
        Add(tar, first, [1]);
        Add(tar, second, [2]);
    }), message);

    [Fact]
    public void Limits_hold_for_what_is_declared()
    {
        Refused(Tar(tar => { foreach (var name in (string[])["a", "b", "c"]) Add(tar, name, []); }), "it has more than 2 entries", new() { MaxEntries = 2 });
        Refused(Tar(tar => Add(tar, "a", new byte[11])), "\"a\" has 11 bytes; at most 10 are allowed", new() { MaxEntryBytes = 10 });
        Refused(Tar(tar => { Add(tar, "a", new byte[6]); Add(tar, "b", new byte[6]); }), "its files have more than 10 bytes together", new() { MaxTotalBytes = 10 });
        Refused(Tar(tar => Add(tar, "zeros", new byte[1 << 20])), "more than 200 times as many", new() { FreeRatioBytes = 1000 });
    }

    [Fact]
    public void An_extended_header_that_would_fill_the_memory_is_refused()
    {
        // A header of type x that declares 1 GiB of attributes, and zeros that pack to a megabyte behind it.
        var header = new byte[512];
        "x"u8.CopyTo(header);
        Encoding.ASCII.GetBytes("0000644\0" + "0000000\0" + "0000000\0" + "10000000000\0" + "00000000000\0" + "        x").CopyTo(header, 100);
        "ustar\000"u8.CopyTo(header.AsSpan(257));
        Encoding.ASCII.GetBytes(Convert.ToString(header.Sum(value => value), 8).PadLeft(6, '0') + "\0 ").CopyTo(header, 148);
        var path = _folder["bomb.tgz"];
        using (var gzip = new GZipStream(File.Create(path), CompressionLevel.Fastest))
        {
            gzip.Write(header);
            gzip.Write(new byte[1 << 20]);
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        Refused(path, "An extended header has 1073741824 bytes; at most 65536 are allowed");
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1_200_000_000);
    }

    [Fact]
    public void What_follows_the_end_is_refused()
    {
        var whole = File.ReadAllBytes(Tar(tar => Add(tar, "a", [1])));
        using var more = new MemoryStream();
        using (var gzip = new GZipStream(more, CompressionLevel.Fastest, leaveOpen: true)) gzip.Write("more"u8);

        Refused(_folder.Write("more.tgz", [.. whole, .. more.ToArray()]), "Something follows the end of the tar");
        Refused(_folder.Write("junk.tgz", [.. whole, .. "junk"u8]), "The archive junk.tgz cannot be used");
    }

    [Fact]
    public void A_truncated_archive_is_refused_at_every_length()
    {
        var bytes = File.ReadAllBytes(Tar(tar => { Add(tar, "model.onnx", [.. Enumerable.Range(0, 300).Select(i => (byte)(i * i))]); Add(tar, ModelManifest.EntryName, "{}"u8.ToArray()); }));
        for (var length = 0; length < bytes.Length; length++) Refused(_folder.Write("cut.tgz", bytes.AsSpan(0, length)), "The archive cut.tgz cannot be used");
    }

    [Fact]
    public void Any_flipped_bit_of_the_content_is_told()
    {
        byte[] content = [.. Enumerable.Range(0, 300).Select(i => (byte)(i * 37))];
        var bytes = File.ReadAllBytes(Tar(tar => Add(tar, "model.onnx", content)));

        // Behind gzip's header, whose flags and time may be anything.
        for (var at = 10; at < bytes.Length; at++)
        {
            var changed = (byte[])bytes.Clone();
            changed[at] ^= 0x10;
            var archive = _folder.Write("flipped.tgz", changed);
            try
            {
                // Some bits of the packing mean nothing: then everything is as it was. The trailer's all do.
                Assert.Equal(content, File.ReadAllBytes(Path.Combine(Extract(archive), "model.onnx")));
                Assert.True(at < bytes.Length - 8, $"byte {at} of {bytes.Length}");
            }
            catch (InvalidModelException error)
            {
                Assert.Contains("The archive flipped.tgz cannot be used", error.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void A_file_is_what_its_content_says_whatever_its_name()
    {
        var tar = Tar(tar => Add(tar, "model.onnx", [1]));
        Refused(_folder.Write("text.tgz", "hello"), "it is no zip file (it has no end record), nor a tar.gz");
        File.Move(tar, _folder["tar-inside.mar"]);
        Assert.Equal([1], File.ReadAllBytes(Path.Combine(Extract(_folder["tar-inside.mar"]), "model.onnx")));
    }

    private string Tar(Action<TarWriter> fill, TarEntryFormat format = TarEntryFormat.Pax)
    {
        var path = _folder[Guid.NewGuid().ToString("N") + ".tgz"];
        using var gzip = new GZipStream(File.Create(path), CompressionLevel.Optimal);
        using var tar = new TarWriter(gzip, format);
        fill(tar);
        return path;
    }

    private static void Add(TarWriter tar, string name, byte[] bytes, DateTimeOffset? modified = null)
    {
        TarEntry entry = tar.Format switch
        {
            TarEntryFormat.Gnu => new GnuTarEntry(TarEntryType.RegularFile, name),
            TarEntryFormat.Ustar => new UstarTarEntry(TarEntryType.RegularFile, name),
            TarEntryFormat.V7 => new V7TarEntry(TarEntryType.V7RegularFile, name),
            _ => new PaxTarEntry(TarEntryType.RegularFile, name),
        };
        entry.DataStream = new MemoryStream(bytes);
        if (modified is { } time) entry.ModificationTime = time;
        tar.WriteEntry(entry);
    }

    private string Extract(string archive)
    {
        var destination = _folder[Guid.NewGuid().ToString("N")];
        ModelArchive.Extract(archive, destination, new ArchiveLimits(), TestContext.Current.CancellationToken);
        Assert.DoesNotContain(Directory.EnumerateDirectories(_folder.Path), folder => folder.EndsWith(".partial", StringComparison.Ordinal));
        return destination;
    }

    private void Refused(string archive, string message, ArchiveLimits? limits = null)
    {
        var error = Assert.Throws<InvalidModelException>(() => ModelArchive.Extract(archive, _folder["refused"], limits ?? new ArchiveLimits()));

        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateDirectories(_folder.Path));
    }
}
