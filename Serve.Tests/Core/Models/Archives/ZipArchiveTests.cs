using System.IO.Compression;
using CsCheck;
using Serve.Core.Errors;
using Serve.Core.Models.Archives;

namespace Serve.Tests.Core.Models.Archives;

public sealed class ZipArchiveTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Files_and_folders_come_out_as_they_went_in()
    {
        var archive = Zip(("model.onnx", [1, 2, 3]), ("sub/labels.txt", "a\nb"u8.ToArray()), ("empty/", []), ("none", []));
        var destination = Path.Combine(_folder.Path, "out");

        ModelArchive.Extract(archive, destination, new ArchiveLimits(), TestContext.Current.CancellationToken);

        Assert.Equal([1, 2, 3], File.ReadAllBytes(Path.Combine(destination, "model.onnx")));
        Assert.Equal("a\nb", File.ReadAllText(Path.Combine(destination, "sub/labels.txt")));
        using (var zip = ZipFile.OpenRead(archive)) Assert.Equal(zip.GetEntry("model.onnx")!.LastWriteTime.UtcDateTime, File.GetLastWriteTimeUtc(Path.Combine(destination, "model.onnx")));
        Assert.True(Directory.Exists(Path.Combine(destination, "empty")));
        Assert.Empty(File.ReadAllBytes(Path.Combine(destination, "none")));
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(destination));
    }

    [Theory]
    [InlineData("/etc/cron.d/x", "is absolute")]
    [InlineData("../x", "contains the segment ..")]
    [InlineData("a/../../x", "contains the segment ..")]
    [InlineData("a/./x", "contains the segment .")]
    [InlineData("..\\x", "contains a backslash")]
    [InlineData("C:/x", "contains a colon")]
    [InlineData("a//x", "has an empty segment")]
    [InlineData("a/x.", "has a segment that ends in a dot or a blank")]
    [InlineData("a\nb", "contains control characters")]
    [InlineData("a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q", "is deeper than 16 folders")]
    [InlineData("/", "is empty")]
    public void A_path_that_could_lead_out_is_refused_before_anything_is_written(string name, string message) =>
        Refused(Zip(("good", [1]), (name, [1])), message);

    [Theory]
    [InlineData("model.onnx", "MODEL.onnx", "stands twice")]
    [InlineData("a", "a", "stands twice")]
    [InlineData("a", "a/b", "lies in \"a\", which is a file")]
    [InlineData("a/b", "a", "stands twice")]
    public void Two_entries_for_one_place_are_refused(string first, string second, string message) => Refused(Zip((first, [1]), (second, [2])), message);

    [Fact]
    public void Links_are_refused()
    {
        var path = Path.Combine(_folder.Path, "link.mar");
        using (var zip = ZipFile.Open(path, ZipArchiveMode.Create))
        {
            var entry = zip.CreateEntry("link");
            entry.ExternalAttributes = unchecked((int)0xA1FF0000);
            using var stream = entry.Open();
            stream.Write("/etc/passwd"u8);
        }

        Refused(path, "\"link\" is a link or another special file");
    }

    [Fact]
    public void Limits_hold_for_what_is_declared()
    {
        Refused(Zip(("a", []), ("b", []), ("c", [])), "it has more than 2 entries", new() { MaxEntries = 2 });
        Refused(Zip(("a", new byte[11])), "\"a\" has 11 bytes; at most 10 are allowed", new() { MaxEntryBytes = 10 });
        Refused(Zip(("a", new byte[6]), ("b", new byte[6])), "its files have more than 10 bytes together", new() { MaxTotalBytes = 10 });
        Refused(Zip(("zeros", new byte[1 << 20])), "more than 200 times as many", new() { FreeRatioBytes = 1000 });
    }

    [Fact]
    public void A_file_that_unpacks_to_more_than_it_declares_is_refused()
    {
        var archive = Zip(("a", new byte[100_000]));
        var bytes = File.ReadAllBytes(archive);
        var declared = BitConverter.GetBytes(100_000);

        // In the local header and in the list of entries.
        for (var at = bytes.AsSpan().IndexOf(declared); at >= 0; at = bytes.AsSpan().IndexOf(declared)) BitConverter.GetBytes(10).CopyTo(bytes, at);
        File.WriteAllBytes(archive, bytes);

        Refused(archive, "The archive");
    }

    [Fact]
    public void A_damaged_file_is_told_by_its_checksum()
    {
        var path = Path.Combine(_folder.Path, "stored.mar");
        using (var zip = ZipFile.Open(path, ZipArchiveMode.Create))
        {
            using var stream = zip.CreateEntry("weights", CompressionLevel.NoCompression).Open();
            stream.Write("0123456789abcdef"u8);
        }

        var bytes = File.ReadAllBytes(path);
        bytes[bytes.AsSpan().IndexOf("0123456789abcdef"u8) + 5] ^= 1;
        File.WriteAllBytes(path, bytes);

        Refused(path, "\"weights\" is damaged: its checksum is");
    }

    [Fact]
    public void What_is_no_zip_is_refused()
    {
        Refused(_folder.Write("a.mar", "hello"), "it is no zip file (it has no end record)");
        Refused(_folder.Write("b.mar", ""), "it is no zip file");
        Refused(Path.Combine(_folder.Path, "none.mar"), "Could not find file");
    }

    [Fact]
    public void A_list_of_entries_that_is_too_long_is_refused_before_it_is_read()
    {
        var archive = Zip([.. Enumerable.Range(0, 12_000).Select(i => ($"{i}-{new string('x', 700)}", Array.Empty<byte>()))]);
        Refused(archive, "its list of entries takes more than 8388608 bytes");
    }

    [Theory]
    [InlineData(4)] // the disk's number
    [InlineData(10)] // how many entries there are
    public void A_list_that_only_the_zip64_record_names_is_measured_too(int mark)
    {
        const int EndRecord = 22;
        var zip = File.ReadAllBytes(Zip([.. Enumerable.Range(0, 12_000).Select(i => ($"{i}-{new string('x', 700)}", Array.Empty<byte>()))]));
        var (files, end) = (zip[..^EndRecord], zip[^EndRecord..]);
        var list = BitConverter.ToUInt32(end, 16);

        byte[] record = [.. "PK\u0006\u0006"u8, .. BitConverter.GetBytes(44L), 45, 0, 45, 0, .. new byte[8], .. BitConverter.GetBytes(12_000L), .. BitConverter.GetBytes(12_000L), .. BitConverter.GetBytes(files.Length - list), .. BitConverter.GetBytes((long)list)];
        byte[] locator = [.. "PK\u0006\u0007"u8, .. new byte[4], .. BitConverter.GetBytes((long)files.Length), 1, 0, 0, 0];

        // The end record itself says that the list is short.
        BitConverter.GetBytes(ushort.MaxValue).CopyTo(end, mark);
        BitConverter.GetBytes((uint)files.Length - 100).CopyTo(end, 16);
        Refused(_folder.Write("zip64.mar", [.. files, .. record, .. locator, .. end]), "its list of entries takes more than 8388608 bytes");

        // What points to no record points to nothing that could be measured.
        locator[0] = 0;
        Refused(_folder.Write("zip64.mar", [.. files, .. record, .. locator, .. end]), "its zip64 record is damaged");
    }

    [Fact]
    public void A_truncated_archive_is_refused_at_every_length()
    {
        var bytes = File.ReadAllBytes(Zip(("model.onnx", new byte[200]), (ModelManifest.EntryName, "{}"u8.ToArray())));
        for (var length = 0; length < bytes.Length; length++) Refused(_folder.Write("cut.mar", bytes.AsSpan(0, length)), "The archive cut.mar cannot be used");
    }

    [Fact]
    public void A_changed_archive_is_unpacked_or_refused_and_nothing_else()
    {
        var good = File.ReadAllBytes(Zip(("model.onnx", new byte[300]), ("sub/x", "hello hello hello"u8.ToArray()), (ModelManifest.EntryName, "{\"model\": {\"modelName\": \"m\"}}"u8.ToArray())));
        Gen.Select(Gen.Int[0, good.Length - 1], Gen.Byte).Array[1, 4].Sample(changes =>
        {
            var bytes = (byte[])good.Clone();
            foreach (var (at, value) in changes) bytes[at] = value;

            var archive = _folder.Write("changed.mar", bytes);
            var destination = Path.Combine(_folder.Path, Guid.NewGuid().ToString("N"));
            try
            {
                ModelArchive.ReadManifest(archive, new ArchiveLimits());
                ModelArchive.Extract(archive, destination, new ArchiveLimits());
            }
            catch (InvalidModelException)
            {
                Assert.False(Directory.Exists(destination));
            }
        }, iter: 3_000, threads: 1);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(_folder.Path)!, Path.GetFileName(_folder.Path) + "-*"));
    }

    [Fact]
    public void The_checksum_is_zips()
    {
        var checksum = default(Crc32);
        checksum.Add("123456789"u8);
        Assert.Equal(0xCBF43926u, checksum.Value);

        var parts = default(Crc32);
        parts.Add("1234"u8);
        parts.Add("56789"u8);
        Assert.Equal(0xCBF43926u, parts.Value);
    }

    private string Zip(params (string Name, byte[] Bytes)[] entries)
    {
        var path = Path.Combine(_folder.Path, Guid.NewGuid().ToString("N") + ".mar");
        using var zip = ZipFile.Open(path, ZipArchiveMode.Create);
        foreach (var (name, bytes) in entries)
        {
            using var stream = zip.CreateEntry(name).Open();
            stream.Write(bytes);
        }

        return path;
    }

    private void Refused(string archive, string message, ArchiveLimits? limits = null)
    {
        var destination = Path.Combine(_folder.Path, "refused");
        var error = Assert.Throws<InvalidModelException>(() => ModelArchive.Extract(archive, destination, limits ?? new ArchiveLimits()));

        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateDirectories(_folder.Path));
    }
}
