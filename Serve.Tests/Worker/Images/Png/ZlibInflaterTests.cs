using System.Buffers.Binary;
using System.IO.Compression;
using System.Runtime.InteropServices;
using Serve.Worker.Images.Decoding.Png;

namespace Serve.Tests.Worker.Images.Png;

/// <summary>Against the runtime's own inflate.</summary>
public sealed unsafe class ZlibInflaterTests
{
    private static readonly ZlibInflater Inflater = new();

    [Theory]
    [InlineData(CompressionLevel.NoCompression)]
    [InlineData(CompressionLevel.Fastest)]
    [InlineData(CompressionLevel.Optimal)]
    [InlineData(CompressionLevel.SmallestSize)]
    public void What_was_compressed_comes_out(CompressionLevel level)
    {
        var random = new Random(1);
        for (var i = 0; i < 250; i++)
        {
            var data = Content(random, random.Next(4) == 0 ? random.Next(200_000) : random.Next(3000));
            var (result, output) = Inflate(PngWriter.Compress(data, level), data.Length);

            Assert.Equal(InflateStatus.Done, result.Status);
            Assert.Equal(data.Length, result.OutputBytes);
            Assert.True(data.AsSpan().SequenceEqual(output));
        }
    }

    [Fact]
    public void Damage_is_refused_or_gives_what_zlib_gives()
    {
        var random = new Random(2);
        var accepted = 0;
        for (var i = 0; i < 4000; i++)
        {
            var data = Content(random, 1 + random.Next(2000));
            var compressed = PngWriter.Compress(data, (CompressionLevel)random.Next(4));
            for (var flips = 1 + random.Next(3); flips > 0; flips--)
                compressed[random.Next(compressed.Length)] ^= (byte)(1 << random.Next(8));
            if (random.Next(2) == 0)
                FixChecksum(compressed, data);

            var (result, output) = Inflate(compressed, data.Length);
            var reference = Reference(compressed, data.Length);
            if (reference is null)
                Assert.NotEqual(InflateStatus.Done, result.Status);
            else if (result.Status == InflateStatus.Done)
                Assert.Equal(reference, output);
            else if (reference.Length == data.Length && result.Status != InflateStatus.TrailingBytes)
                Assert.NotEqual(Adler32Of(reference), BinaryPrimitives.ReadUInt32BigEndian(compressed.AsSpan(compressed.Length - 4)));
            accepted += result.Status == InflateStatus.Done ? 1 : 0;
        }

        Assert.InRange(accepted, 0, 3999);
    }

    [Fact]
    public void Random_bytes_behind_a_right_header_do_no_harm()
    {
        var random = new Random(3);
        var bytes = new byte[400];
        for (var i = 0; i < 20_000; i++)
        {
            random.NextBytes(bytes);
            (bytes[0], bytes[1]) = (0x78, 0x9C);

            // All block types, the compressed ones more often.
            bytes[2] = (byte)((bytes[2] & ~7) | random.Next(2) | ((1 + random.Next(2)) << 1));
            var length = random.Next(bytes.Length);
            Assert.NotEqual(InflateStatus.Done, Inflate(bytes[..length], random.Next(5000)).Result.Status);
        }
    }

    [Fact]
    public void Data_cut_at_any_byte_ends_early()
    {
        foreach (var level in Enum.GetValues<CompressionLevel>())
        {
            var data = Content(new Random(4), 3000);
            var compressed = PngWriter.Compress(data, level);
            for (var cut = 0; cut < compressed.Length; cut++)
            {
                var (result, _) = Inflate(compressed[..cut], data.Length);
                Assert.Equal((level, cut, InflateStatus.EndsEarly), (level, cut, result.Status));
                Assert.InRange(result.InputOffset, 0, cut);
            }
        }
    }

    [Fact]
    public void The_size_must_be_the_one_expected()
    {
        foreach (var level in Enum.GetValues<CompressionLevel>())
        {
            var data = Content(new Random(5), 3000);
            var compressed = PngWriter.Compress(data, level);
            foreach (var other in (int[])[1, 2, 15, 16, 17, 258, 259, 1000, 2999, 3000])
            {
                Assert.Equal(InflateStatus.TooLong, Inflate(compressed, data.Length - other).Result.Status);
                var (result, _) = Inflate(compressed, data.Length + other);
                Assert.Equal((InflateStatus.TooShort, (long)data.Length), (result.Status, result.OutputBytes));
            }
        }
    }

    [Fact]
    public void The_checksum_and_what_follows_it_are_looked_at()
    {
        var data = Content(new Random(6), 1000);
        var compressed = PngWriter.Compress(data, CompressionLevel.Optimal);

        Assert.Equal(InflateStatus.TrailingBytes, Inflate([.. compressed, 0], data.Length).Result.Status);
        compressed[^1] ^= 1;
        Assert.Equal(InflateStatus.BadChecksum, Inflate(compressed, data.Length).Result.Status);
    }

    [Theory]
    [InlineData("7801", 0, nameof(InflateStatus.EndsEarly))]
    [InlineData("7901", 0, nameof(InflateStatus.BadHeader))]
    [InlineData("7802", 0, nameof(InflateStatus.BadHeader))]
    [InlineData("78BB", 0, nameof(InflateStatus.BadHeader))]
    [InlineData("780107", 0, nameof(InflateStatus.BadBlockType))]
    [InlineData("780101010000FF00", 1, nameof(InflateStatus.BadStoredLength))]
    [InlineData("78010300 00000001", 0, nameof(InflateStatus.Done))]
    [InlineData("78010300 00000001", 1, nameof(InflateStatus.TooShort))]
    [InlineData("78010100 00FFFF 00000001", 0, nameof(InflateStatus.Done))]
    [InlineData("78011B03 00000000", 300, nameof(InflateStatus.BadSymbol))]
    public void Bytes_by_hand(string hex, int outputBytes, string status)
    {
        Assert.Equal(status, Inflate(Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal)), outputBytes).Result.Status.ToString());
    }

    [Fact]
    public void Inflating_allocates_nothing_and_stops_when_told()
    {
        var data = Content(new Random(7), 100_000);
        var compressed = PngWriter.Compress(data, CompressionLevel.Optimal);
        var input = (byte*)NativeMemory.AllocZeroed((nuint)compressed.Length + ZlibInflater.InputSlackBytes);
        var output = (byte*)NativeMemory.Alloc((nuint)data.Length + ZlibInflater.OutputSlackBytes);
        try
        {
            compressed.CopyTo(new Span<byte>(input, compressed.Length));
            Inflater.Inflate(input, compressed.Length, output, data.Length, default);
            var before = GC.GetAllocatedBytesForCurrentThread();
            Inflater.Inflate(input, compressed.Length, output, data.Length, default);
            Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

            using var stopped = new CancellationTokenSource();
            stopped.Cancel();
            Assert.Throws<OperationCanceledException>(() => Inflater.Inflate(input, compressed.Length, output, data.Length, stopped.Token));
        }
        finally
        {
            NativeMemory.Free(input);
            NativeMemory.Free(output);
        }
    }

    [Fact]
    public void The_checksum_is_that_of_the_standard()
    {
        var noise = new byte[70_000];
        new Random(8).NextBytes(noise);
        Array.Fill(noise, (byte)255, 20_000, 30_000);
        fixed (byte* data = noise)
        {
            foreach (var length in Enumerable.Range(0, 100).Concat([4095, 4096, 4097, 8192, 20_000, 65_537, 70_000]))
                Assert.Equal(Adler32Of(noise.AsSpan(0, length)), Adler32.Compute(data, length));
        }
    }

    /// <summary>Noise, runs, repeats near and far, and few or all symbols, mixed.</summary>
    private static byte[] Content(Random random, int length)
    {
        var data = new byte[length];
        for (var i = 0; i < length;)
        {
            var run = Math.Min(length - i, 1 + random.Next(random.Next(2) == 0 ? 8 : 700));
            var distance = Math.Min(i, 1 + random.Next(random.Next(2) == 0 ? 20 : 32_768));
            var kind = distance == 0 ? 1 : random.Next(4);
            var symbols = 1 + random.Next(256);
            for (var end = i + run; i < end; i++)
                data[i] = kind switch { 0 => data[i - distance], 1 => (byte)random.Next(symbols), 2 => (byte)(i * symbols), _ => data[i - 1] };
        }

        return data;
    }

    private static (InflateResult Result, byte[] Output) Inflate(byte[] compressed, int outputBytes)
    {
        // Guards behind both slacks, and other content in the input's slack each time.
        const byte Guard = 0xA5;
        var input = new byte[compressed.Length + ZlibInflater.InputSlackBytes];
        new Random(compressed.Length).NextBytes(input);
        compressed.CopyTo(input, 0);
        var output = new byte[outputBytes + ZlibInflater.OutputSlackBytes + 64];
        Array.Fill(output, Guard);
        fixed (byte* from = input, to = &output[32])
        {
            var result = Inflater.Inflate(from, compressed.Length, to, outputBytes, CancellationToken.None);
            Assert.Equal(-1, output.AsSpan(0, 32).IndexOfAnyExcept(Guard));
            Assert.Equal(-1, output.AsSpan(output.Length - 32).IndexOfAnyExcept(Guard));
            Assert.InRange(result.InputOffset, 0, compressed.Length);
            Assert.InRange(result.OutputBytes, 0, outputBytes);
            return (result, output.AsSpan(32, outputBytes).ToArray());
        }
    }

    /// <summary>What zlib makes of it, one byte more than expected at most; null when it refuses.</summary>
    private static byte[]? Reference(byte[] compressed, int outputBytes)
    {
        try
        {
            using var zlib = new ZLibStream(new MemoryStream(compressed), CompressionMode.Decompress);
            var output = new byte[outputBytes + 1];
            return output[..zlib.ReadAtLeast(output, output.Length, throwOnEndOfStream: false)];
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }

    private static void FixChecksum(byte[] compressed, byte[] data)
    {
        using var deflate = new DeflateStream(new MemoryStream(compressed, 2, compressed.Length - 2), CompressionMode.Decompress);
        var output = new byte[data.Length];
        try
        {
            deflate.ReadAtLeast(output, output.Length, throwOnEndOfStream: false);
            BinaryPrimitives.WriteUInt32BigEndian(compressed.AsSpan(compressed.Length - 4), Adler32Of(output));
        }
        catch (InvalidDataException)
        {
            // Broken before its end: no checksum would help.
            return;
        }
    }

    private static uint Adler32Of(ReadOnlySpan<byte> data)
    {
        uint sum = 1, weighted = 0;
        foreach (var value in data)
        {
            sum = (sum + value) % 65521;
            weighted = (weighted + sum) % 65521;
        }

        return (weighted << 16) | sum;
    }
}
