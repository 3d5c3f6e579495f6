using System.IO.Compression;
using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Protocol;
using Serve.Frontend.OpenInference.Infer;

namespace Serve.Tests.Frontend.OpenInference;

/// <summary>Compressed bodies.</summary>
public sealed class ContentCodingsTests
{
    private static readonly byte[] Text = [.. Enumerable.Range(0, 100_000).Select(number => (byte)(number % 7))];

    [Theory]
    [InlineData("gzip, deflate", "Gzip")]
    [InlineData("deflate, gzip", "Deflate")]
    [InlineData("gzip;q=0.5, deflate;q=0.8", "Deflate")]
    [InlineData("identity, gzip", "Identity")]
    [InlineData("gzip;q=0", "Identity")]
    [InlineData("br, zstd", "Identity")]
    [InlineData("br, GZIP ; Q=0.1", "Gzip")]
    [InlineData("gzip;q=x, deflate", "Deflate")]
    [InlineData("", "Identity")]
    [InlineData(",,;;,", "Identity")]
    [InlineData("*", "Identity")]
    public void An_answer_takes_what_its_client_likes_best(string accepted, string coding) =>
        Assert.Equal(coding, ContentCodings.ForAnswer(accepted).ToString());

    [Theory]
    [InlineData("gzip", "Gzip")]
    [InlineData("DEFLATE", "Deflate")]
    [InlineData("identity", "Identity")]
    [InlineData("", "Identity")]
    public void A_request_may_come_in_these(string coding, string expected) => Assert.Equal(expected, ContentCodings.OfRequest(ContextWith(coding)).ToString());

    [Theory]
    [InlineData("br")]
    [InlineData("gzip, gzip")]
    public void Others_are_501_and_the_client_is_told_which_are_known(string coding)
    {
        var context = ContextWith(coding);
        var error = Assert.Throws<ServeException>(() => ContentCodings.OfRequest(context));
        Assert.Equal((501, "Unsupported compression type", "gzip, deflate"), (error.Status, error.Message, context.Response.Headers.AcceptEncoding.ToString()));
    }

    [Fact]
    public void What_is_packed_is_unpacked()
    {
        Assert.Equal(Text, Unpack(Pack(stream => new GZipStream(stream, CompressionMode.Compress)), ContentCoding.Gzip, 1 << 20));
        Assert.Equal(Text, Unpack(Pack(stream => new ZLibStream(stream, CompressionMode.Compress)), ContentCoding.Deflate, 1 << 20));
        Assert.Equal(Text, Unpack(Pack(stream => new DeflateStream(stream, CompressionMode.Compress)), ContentCoding.Deflate, 1 << 20));
        foreach (var coding in (ContentCoding[])[ContentCoding.Gzip, ContentCoding.Deflate]) Assert.Equal(Text, Unpack(Pack(stream => ContentCodings.Compress(stream, coding)), coding, 1 << 20));
    }

    [Fact]
    public void A_bomb_is_not_unpacked_beyond_the_limit()
    {
        var packed = Pack(stream => new GZipStream(stream, CompressionMode.Compress), new byte[10_000_000]);
        Assert.True(packed.Length < 20_000);
        Assert.Throws<PayloadTooLargeException>(() => Unpack(packed, ContentCoding.Gzip, 100_000));
    }

    [Fact]
    public void Damaged_bodies_are_the_clients_fault()
    {
        foreach (var coding in (ContentCoding[])[ContentCoding.Gzip, ContentCoding.Deflate])
        {
            Assert.Throws<BadRequestException>(() => Unpack([0x78, 0x9C, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], coding, 1 << 20));
            var packed = Pack(stream => ContentCodings.Compress(stream, coding));
            packed[packed.Length / 2] ^= 0x55;
            packed[(packed.Length / 2) + 1] ^= 0x55;
            Assert.Throws<BadRequestException>(() => Unpack(packed, coding, 1 << 20));
        }
    }

    private static DefaultHttpContext ContextWith(string coding)
    {
        var context = new DefaultHttpContext();
        context.Request.Headers.ContentEncoding = coding;
        return context;
    }

    private static byte[] Pack(Func<Stream, Stream> packing, byte[]? bytes = null)
    {
        using var packed = new MemoryStream();
        using (var stream = packing(packed)) stream.Write(bytes ?? Text);
        return packed.ToArray();
    }

    private static byte[] Unpack(byte[] packed, ContentCoding coding, long mostBytes)
    {
        var payload = RequestPayload.Rent(packed.Length);
        packed.CopyTo(payload.GetSpan(packed.Length));
        payload.Advance(packed.Length);
        try
        {
            var unpacked = ContentCodings.Decompress(payload, coding, mostBytes);
            try
            {
                return unpacked.Body.ToArray();
            }
            finally
            {
                unpacked.Release();
            }
        }
        finally
        {
            payload.Release();
        }
    }
}
