using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using Serve.Core.Errors;
using Serve.Core.Models.Archives;

namespace Serve.Tests.Fuzzing;

/// <summary>Whatever an archive is made of, it is unpacked or refused: no other exception, no hang, nothing outside its folder, nothing left.</summary>
public sealed class ArchiveFuzzTests : IDisposable
{
    private const int TarBlock = 512;

    private static readonly ArchiveLimits Limits = new() { MaxEntries = 50, MaxEntryBytes = 1 << 20, MaxTotalBytes = 4 << 20, FreeRatioBytes = 64 << 10 };

    private readonly TemporaryFolder _folder = new();
    private readonly string _escape;

    public ArchiveFuzzTests() => _escape = _folder["escaped"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_zip_is_unpacked_or_refused()
    {
        byte[][] seeds = [Zip(CompressionLevel.Optimal, "model.onnx", "sub/labels.txt"), Zip(CompressionLevel.NoCompression, "a", "b/", "b/c"), Zip(CompressionLevel.Optimal, "../../escaped", "x"), Zip(CompressionLevel.Optimal, _escape, "x")];
        FuzzRun.Run(1500, random => Check(Mutator.Mutate(random, seeds[random.Next(seeds.Length)], seeds[random.Next(seeds.Length)], Words())));
    }

    [Fact]
    public void A_tar_is_unpacked_or_refused()
    {
        byte[][] seeds =
        [
            Tar(TarEntryFormat.Pax, new string('d', 60) + "/" + new string('f', 90), "model.onnx"), Tar(TarEntryFormat.Gnu, new string('d', 60) + "/" + new string('f', 90), "b"),
            Tar(TarEntryFormat.Ustar, "m/model.onnx", "m/MAR-INF/MANIFEST.json"), Tar(TarEntryFormat.Pax, "../../escaped", "x"), Tar(TarEntryFormat.Gnu, _escape, "x"), Tar(TarEntryFormat.Pax, [], link: "../../escaped"),
        ];
        FuzzRun.Run(1500, random =>
        {
            var seed = seeds[random.Next(seeds.Length)];

            // Mostly inside, where the checksum of the packing does not find it first.
            if (random.Next(5) == 0)
            {
                Check(Mutator.Mutate(random, Pack(seed), Pack(seeds[0]), Words()));
                return;
            }

            var tar = Mutator.Mutate(random, seed, seeds[random.Next(seeds.Length)], Words());
            if (random.Next(3) > 0) MendChecksums(tar);
            Check(Pack(tar));
        });
    }

    private void Check(byte[] archive)
    {
        var path = _folder.Write("in/archive.mar", archive);
        var destination = _folder["in", "out", "model"];
        try
        {
            ModelArchive.ReadManifest(path, Limits);
        }
        catch (InvalidModelException)
        {
            // As it should be.
        }

        try
        {
            ModelArchive.Extract(path, destination, Limits);
            foreach (var entry in Directory.EnumerateFileSystemEntries(destination, "*", SearchOption.AllDirectories)) Assert.Null(File.ResolveLinkTarget(entry, returnFinalTarget: false));
            Directory.Delete(destination, recursive: true);
        }
        catch (InvalidModelException error)
        {
            Assert.StartsWith("The archive archive.mar cannot be used", error.Message, StringComparison.Ordinal);
        }

        if (Directory.Exists(_folder["in", "out"])) Assert.Empty(Directory.EnumerateFileSystemEntries(_folder["in", "out"]));
        Assert.Equal(["in"], Directory.EnumerateFileSystemEntries(_folder.Path).Select(Path.GetFileName));
        Assert.Equal(["archive.mar", "out"], Directory.EnumerateFileSystemEntries(_folder["in"]).Select(Path.GetFileName).Append("out").Distinct().Order());
    }

    private byte[][] Words() =>
    [
        "../"u8.ToArray(), "/"u8.ToArray(), "./"u8.ToArray(), "..\\"u8.ToArray(), "C:"u8.ToArray(), "\0"u8.ToArray(), "PK\u0001\u0002"u8.ToArray(), "PK\u0003\u0004"u8.ToArray(), "PK\u0005\u0006"u8.ToArray(), "PK\u0006\u0006"u8.ToArray(),
        "ustar\000"u8.ToArray(), "ustar  \0"u8.ToArray(), "7777777777777"u8.ToArray(), "00000000000\0"u8.ToArray(), [0x80, 0, 0, 0, 0, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF],
        "0"u8.ToArray(), "1"u8.ToArray(), "2"u8.ToArray(), "3"u8.ToArray(), "5"u8.ToArray(), "6"u8.ToArray(), "L"u8.ToArray(), "K"u8.ToArray(), "x"u8.ToArray(), "g"u8.ToArray(), "S"u8.ToArray(),
        "25 path=../../escaped\n"u8.ToArray(), "20 size=99999999999\n"u8.ToArray(), new byte[TarBlock], Encoding.UTF8.GetBytes(_escape),
    ];

    /// <summary>Makes every block that looks like a header one by its checksum.</summary>
    private static void MendChecksums(byte[] tar)
    {
        for (var at = 0; at + TarBlock <= tar.Length; at += TarBlock)
        {
            var block = tar.AsSpan(at, TarBlock);
            if (!block.Slice(257, 5).SequenceEqual("ustar"u8)) continue;

            block.Slice(148, 8).Fill((byte)' ');
            var sum = 0;
            foreach (var value in block) sum += value;
            Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ").CopyTo(block[148..]);
        }
    }

    private static byte[] Zip(CompressionLevel level, params string[] names)
    {
        using var bytes = new MemoryStream();
        using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create))
        {
            foreach (var name in names)
            {
                using var stream = zip.CreateEntry(name, level).Open();
                if (!name.EndsWith('/')) stream.Write(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(name, 20))));
            }

            using var manifest = zip.CreateEntry(ModelManifest.EntryName, level).Open();
            manifest.Write("""{"model": {"modelName": "m"}}"""u8);
        }

        return bytes.ToArray();
    }

    private static byte[] Tar(TarEntryFormat format, params string[] names) => Tar(format, names, link: null);

    private static byte[] Tar(TarEntryFormat format, string[] names, string? link)
    {
        using var bytes = new MemoryStream();
        using (var tar = new TarWriter(bytes, format, leaveOpen: true))
        {
            foreach (var name in names)
            {
                TarEntry entry = format switch
                {
                    TarEntryFormat.Gnu => new GnuTarEntry(TarEntryType.RegularFile, name),
                    TarEntryFormat.Ustar => new UstarTarEntry(TarEntryType.RegularFile, name),
                    _ => new PaxTarEntry(TarEntryType.RegularFile, name),
                };
                entry.DataStream = new MemoryStream(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(name, 20))));
                tar.WriteEntry(entry);
            }

            if (link is not null) tar.WriteEntry(new PaxTarEntry(TarEntryType.SymbolicLink, "link") { LinkName = link });
        }

        return bytes.ToArray();
    }

    private static byte[] Pack(byte[] tar)
    {
        using var bytes = new MemoryStream();
        using (var gzip = new GZipStream(bytes, CompressionLevel.Fastest)) gzip.Write(tar);
        return bytes.ToArray();
    }
}
