using System.Text;
using CsCheck;
using Serve.LoadGenerator.Http;

namespace Serve.Tests.LoadGenerator;

public sealed class ResponseReaderTests
{
    private static readonly string[] Good =
    [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200\r\ncontent-length:0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 503 \r\nRetry-After: 1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\nContent-Length: 1\n\nx",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1A;name=\"v\"\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nX-Trailer: 1\r\n\r\n",
        "HTTP/1.1 500 Error\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
    ];

    [Fact]
    public void A_response_is_the_same_however_its_bytes_arrive()
    {
        (from text in Gen.Int[0, Good.Length - 1].Select(at => Good[at])
         from cuts in Gen.Int[1, 9].Array[1, 40]
         select (text, cuts)).Sample(sample =>
        {
            var whole = Read(sample.text, [int.MaxValue]);
            var pieces = Read(sample.text, sample.cuts);
            Assert.Equal(whole, pieces);
            Assert.True(pieces.IsComplete);
        });
    }

    [Fact]
    public void The_next_response_is_left_to_the_next_read()
    {
        var reader = new ResponseReader();
        var bytes = Encoding.ASCII.GetBytes(Good[6] + Good[0]);
        var first = reader.Read(bytes);
        Assert.Equal((Good[6].Length, true, 31L), (first, reader.IsComplete, reader.BodyBytes));
        reader.Begin();
        Assert.Equal(Good[0].Length, reader.Read(bytes.AsSpan(first)));
        Assert.Equal("hello", Encoding.ASCII.GetString(reader.BodyStart));
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true)]
    [InlineData("HTTP/1.1 200 OK\r\nConnection: keep-alive, Close\r\nContent-Length: 0\r\n\r\n", false)]
    [InlineData("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false)]
    [InlineData("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n", true)]
    public void Whether_the_connection_stays_is_read(string text, bool keeps)
    {
        var reader = new ResponseReader();
        reader.Read(Encoding.ASCII.GetBytes(text));
        Assert.Equal((true, keeps), (reader.IsComplete, reader.KeepsAlive));
    }

    [Fact]
    public void A_body_without_a_length_ends_with_the_connection_and_any_other_does_not()
    {
        var reader = new ResponseReader();
        reader.Read("HTTP/1.1 200 OK\r\n\r\nsome"u8);
        Assert.False(reader.IsComplete);
        Assert.True(reader.ReadEnd());
        Assert.False(reader.KeepsAlive);

        reader.Begin();
        reader.Read("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome"u8);
        Assert.False(reader.ReadEnd());
    }

    [Theory]
    [InlineData("SSH-2.0-OpenSSH\r\n", "SSH-2.0")]
    [InlineData("HTTP/2 200 OK\r\n", "HTTP/2")]
    [InlineData("HTTP/1.1 2000 OK\r\n", "2000")]
    [InlineData("HTTP/1.1 99 OK\r\n", "99")]
    [InlineData("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", "another protocol")]
    [InlineData("HTTP/1.1 200 OK\r\nno header\r\n", "no header")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n", "-1")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n", "999")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n", "two lengths")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "cannot be told")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n", "gzip")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "xyz")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "no size of a chunk")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n", "does not end")]
    public void What_is_no_response_is_refused_in_words(string text, string words)
    {
        foreach (var cut in (int[])[1, 7, int.MaxValue])
        {
            var error = Assert.Throws<MalformedResponseException>(() => Read(text, [cut]));
            Assert.Contains(words, error.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nX: ", "a")]
    [InlineData("", "HTTP/1.1 100 Continue\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1", "0")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X: y\r\n")]
    public void A_head_that_never_ends_is_refused(string begin, string more)
    {
        var reader = new ResponseReader();
        reader.Read(Encoding.ASCII.GetBytes(begin));
        Assert.Throws<MalformedResponseException>(() =>
        {
            for (var sent = 0; sent < 4 * ResponseReader.MostHeadBytes; sent += more.Length) reader.Read(Encoding.ASCII.GetBytes(more));
        });
    }

    [Fact]
    public void Random_bytes_end_in_an_error_or_wait_for_more()
    {
        Gen.Byte.Array[0, 400].Sample(bytes =>
        {
            var reader = new ResponseReader();
            try
            {
                Assert.InRange(reader.Read(bytes), 0, bytes.Length);
            }
            catch (MalformedResponseException e)
            {
                Assert.NotEmpty(e.Message);
            }
        });
    }

    private static (int Status, long Bytes, bool IsComplete, bool Keeps, string Body) Read(string text, int[] cuts)
    {
        var reader = new ResponseReader();
        var rest = Encoding.ASCII.GetBytes(text).AsSpan();
        for (var i = 0; rest.Length > 0; i++)
        {
            var piece = rest[..Math.Min(cuts[i % cuts.Length], rest.Length)];
            Assert.Equal(piece.Length, reader.Read(piece));
            rest = rest[piece.Length..];
        }

        return (reader.Status, reader.BodyBytes, reader.IsComplete, reader.KeepsAlive, Encoding.ASCII.GetString(reader.BodyStart));
    }
}
