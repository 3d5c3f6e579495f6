using System.Text;
using CsCheck;
using Serve.Core.Errors;
using Serve.Frontend.Inference;

namespace Serve.Tests.Frontend.Inference;

public sealed class MultipartReaderTests
{
    private const string Boundary = "----boundary0123";

    [Fact]
    public void Parts_are_slices_of_the_body_with_name_and_type()
    {
        var body = Bytes("""
            ------boundary0123
            Content-Disposition: form-data; name="data"; filename="boot.png"
            Content-Type: image/png

            PNG
            bytes
            ------boundary0123
            Content-Disposition: form-data; name="text"

            hello
            ------boundary0123--

            """);

        var parts = Read(body);

        Assert.Equal(["data", "text"], parts.Select(part => part.Name));
        Assert.Equal(["image/png", null], parts.Select(part => part.ContentType));
        Assert.Equal(["PNG\r\nbytes", "hello"], parts.Select(part => Content(body, part)));
    }

    [Fact]
    public void Preamble_and_epilogue_are_ignored() =>
        Assert.Equal(["x"], Read(Bytes($"preamble\n--{Boundary}\nContent-Disposition: form-data; name=x\n\n1\n--{Boundary}--\nepilogue --{Boundary}\n")).Select(part => part.Name));

    [Fact]
    public void Blanks_may_follow_a_boundary() =>
        Assert.Equal(["x"], Read(Bytes($"--{Boundary} \t \nContent-Disposition: form-data; name=x\n\n1\n--{Boundary}-- ")).Select(part => part.Name));

    [Fact]
    public void A_line_that_only_begins_like_the_boundary_is_content()
    {
        var body = Bytes($"--{Boundary}\nContent-Disposition: form-data; name=x\n\na\n--{Boundary}4\nb\n--{Boundary}--");
        Assert.Equal([$"a\r\n--{Boundary}4\r\nb"], Read(body).Select(part => Content(body, part)));
    }

    [Fact]
    public void A_part_may_be_empty()
    {
        var body = Bytes($"--{Boundary}\nContent-Disposition: form-data; name=x\n\n\n--{Boundary}\nContent-Disposition: form-data; name=y\n\n--{Boundary}--");
        Assert.Equal(["", ""], Read(body).Select(part => Content(body, part)));
    }

    [Fact]
    public void A_form_may_have_no_parts() => Assert.Empty(Read(Bytes($"--{Boundary}--")));

    [Theory]
    [InlineData("name=\"a \\\"quoted\\\" name\"", "a \"quoted\" name")]
    [InlineData("name=\"a%22b%0D%0Ac\"", "a\"b\r\nc")]
    [InlineData("filename=\"C:\\temp\\x;y.png\"; name=\"f\"", "f")]
    [InlineData("NAME=f", "f")]
    [InlineData("name=\"größe\"", "größe")]
    [InlineData("name=\"\"", "")]
    public void Names_are_read_as_clients_write_them(string parameters, string name) =>
        Assert.Equal([name], Read(Bytes($"--{Boundary}\nContent-Disposition: form-data; {parameters}\n\n1\n--{Boundary}--")).Select(part => part.Name));

    [Theory]
    [InlineData("", "without the closing boundary")]
    [InlineData("no boundary at all", "without the closing boundary")]
    [InlineData("--B\nContent-Disposition: form-data; name=x\n\n1", "without the closing boundary")]
    [InlineData("--B\nContent-Disposition: form-data; name=x\n\n1\n--B", "without the closing boundary")]
    [InlineData("--B\nContent-Type: a/b\n\n1\n--B--", "no Content-Disposition")]
    [InlineData("--B\nContent-Disposition: form-data\n\n1\n--B--", "has no name")]
    [InlineData("--B\nContent-Disposition: attachment; name=x\n\n1\n--B--", "not form-data")]
    [InlineData("--B\nContent-Disposition form-data; name=x\n\n1\n--B--", "is not \"name: value\"")]
    [InlineData("--B\nContent-Disposition: form-data; name=x\nContent-Transfer-Encoding: base64\n\n1\n--B--", "only binary")]
    [InlineData("--B\nContent-Disposition: form-data; name=x\u0001\n\n1\n--B--", "control characters")]
    [InlineData("--B\nContent-Disposition: form-data; name=x", "do not end within")]
    public void What_is_malformed_is_refused_with_what_and_where(string body, string complaint)
    {
        var error = Assert.Throws<BadRequestException>(() => Read(Bytes(body), "B"));
        Assert.StartsWith("The multipart/form-data body is malformed: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(complaint, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void More_than_a_thousand_parts_are_refused()
    {
        var body = string.Concat(Enumerable.Repeat($"--{Boundary}\nContent-Disposition: form-data; name=x\n\n1\n", 1001)) + $"--{Boundary}--";
        Assert.Contains("more than 1000 parts", Assert.Throws<BadRequestException>(() => Read(Bytes(body))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Headers_without_end_are_refused()
    {
        var body = $"--{Boundary}\n" + string.Concat(Enumerable.Repeat("X-Long: 0123456789012345678901234567890123456789\n", 10));
        Assert.Throws<BadRequestException>(() => Read(Bytes(body)));
        Assert.Throws<BadRequestException>(() => Read(Bytes($"--{Boundary}\nX: " + new string('x', 10_000) + "\n\n")));
    }

    [Theory]
    [InlineData("multipart/form-data; boundary=abc", "abc")]
    [InlineData("multipart/form-data; boundary=\"a b\"; charset=utf-8", "a b")]
    [InlineData("multipart/form-data;charset=utf-8;Boundary=abc", "abc")]
    public void The_boundary_is_found(string contentType, string boundary) => Assert.Equal(boundary, MultipartReader.BoundaryOf(contentType));

    [Theory]
    [InlineData("multipart/form-data")]
    [InlineData("multipart/form-data; boundary=")]
    [InlineData("multipart/form-data; boundary=\"ends with a blank \"")]
    [InlineData("multipart/form-data; boundary=a{b")]
    [InlineData("multipart/form-data; boundary=0123456789012345678901234567890123456789012345678901234567890123456789X")]
    public void A_boundary_that_is_not_one_is_refused(string contentType) => Assert.Throws<BadRequestException>(() => MultipartReader.BoundaryOf(contentType));

    [Fact]
    public void What_a_client_writes_is_what_is_read()
    {
        var content = Gen.Byte.Array[0, 200].Where(bytes => bytes.AsSpan().IndexOf(Encoding.ASCII.GetBytes("--" + Boundary)) < 0);
        var name = Gen.String[Gen.Char['a', 'z'], 0, 20];
        Gen.Select(name, content).List[1, 20].Sample(fields =>
        {
            using var form = new MultipartFormDataContent(Boundary);
            foreach (var (field, bytes) in fields) form.Add(new ByteArrayContent(bytes), $"\"{field}\"");
            using var stream = form.ReadAsStream();
            var body = new byte[stream.Length];
            stream.ReadExactly(body);
            var parts = Read(body);
            return parts.Count == fields.Count
                && parts.Zip(fields).All(pair => pair.First.Name == pair.Second.Item1
                    && body.AsSpan(pair.First.Offset, pair.First.Length).SequenceEqual(pair.Second.Item2));
        }, iter: 200);
    }

    [Fact]
    public void Any_damage_gives_parts_within_the_body_or_a_400()
    {
        var sound = Bytes($"--{Boundary}\nContent-Disposition: form-data; name=\"data\"; filename=\"x\"\nContent-Type: image/png\n\nabc\n--{Boundary}\nContent-Disposition: form-data; name=y\n\n\n--{Boundary}--\n");
        var mutation = Gen.Select(Gen.Int[0, sound.Length - 1], Gen.OneOf(Gen.Byte, Gen.Int[0, 6].Select(i => "\r\n-\";= "u8[i])));
        Gen.Select(mutation.Array[1, 6], Gen.Int[0, sound.Length]).Sample((mutations, length) =>
        {
            var body = sound[..length];
            foreach (var (at, value) in mutations) if (at < body.Length) body[at] = value;
            try
            {
                foreach (var part in Read(body)) Assert.InRange(part.Offset + part.Length, 0, body.Length);
            }
            catch (BadRequestException e)
            {
                Assert.StartsWith("The multipart/form-data body is malformed: ", e.Message, StringComparison.Ordinal);
            }
        }, iter: 20_000);
    }

    private static List<FormPart> Read(byte[] body, string boundary = Boundary)
    {
        var parts = new List<FormPart>();
        var reader = new MultipartReader(body, boundary);
        while (reader.Read(out var part)) parts.Add(part);
        return parts;
    }

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text.ReplaceLineEndings("\r\n"));

    private static string Content(byte[] body, FormPart part) => Encoding.UTF8.GetString(body, part.Offset, part.Length);
}
