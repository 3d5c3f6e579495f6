using System.Buffers.Binary;
using System.Text;
using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Protocol;
using Serve.Frontend.Inference;

namespace Serve.Tests.Fuzzing;

/// <summary>
/// Whatever a client sends as a form, it is a request that a worker understands or a 400: no other exception, no hang, no
/// part outside the body.
/// </summary>
public sealed class FormFuzzTests
{
    private static readonly byte[][] Bodies =
    [
        Form("b", ("form-data; name=\"data\"; filename=\"boot.png\"", "image/png", "PNG\r\nbytes"), ("form-data; name=text", null, "hello")),
        Form("--------0123", ("form-data; name=\"a \\\" b\\\\\"; filename*=UTF-8''x", "text/plain; charset=utf-8", ""), ("FORM-DATA ; x; name=%22%0D%0A", null, "--------0123\r\n----------0123x"), ("form-data;name=model_name", null, "m")),
        Form("b c", ("form-data; name=\"unended", "application/json", "{}"), ("form-data; name=é\u2028", "a/b", "\r\n--b\r\n")),
        "preamble\r\n--b \t\r\nContent-Transfer-Encoding: binary\r\nContent-Disposition: form-data; name=x\r\n\r\n--b--epilogue"u8.ToArray(),
        "a=1&b=%C3%A4+c&model_name=m&&d&=%&e=%4"u8.ToArray(), "--b--"u8.ToArray(), "{\"a\": 1}"u8.ToArray(),
    ];

    private static readonly byte[][] Types = [.. ((string[])["multipart/form-data; boundary=b", "multipart/form-data; charset=x; boundary=\"b c\"", "Multipart/Form-Data;BOUNDARY=--------0123", "application/x-www-form-urlencoded", "text/plain"]).Select(Encoding.Latin1.GetBytes)];

    private static readonly byte[][] Words =
    [
        .. ((string[])[
            "\r\n", "\n", "\r", "--", "\r\n--b", "\r\n--b\r\n", "\r\n--b--", "--b", "----------0123\r\n", "\r\n----------0123--", "Content-Disposition: ", "Content-Disposition: attachment; name=x\r\n", "content-disposition:form-data;name=", "\r\nContent-Disposition: form-data\r\n", "Content-Disposition : form-data; name=x\r\n",
            "form-data", "form-datax; name=x", "; name=", "; name=\"\"", "; name=model_name", ";name==;", "; name = \"x\" y; name=z", "; filename=\"; name=\"", "; name*=UTF-8''%00", "\"", "\\", "\\\"", ";", ";;", "=", ":", " ", "\t", "%0D%0A", "%00", "%", "&", "+",
            "Content-Type: ", "Content-Type:\r\n", "Content-Transfer-Encoding: base64\r\n", "boundary=", "boundary=\"", "; boundary=", "multipart/form-data", "multipart/form-data; boundary=\"\"", "application/x-www-form-urlencoded",
        ]).Select(Encoding.Latin1.GetBytes),
        [0], [0xC3, 0x28], [0xED, 0xA0, 0x80], [0xFF, 0xFE], new byte[9000], Encoding.ASCII.GetBytes(new string(' ', 9000)), Encoding.ASCII.GetBytes(new string('n', 1100)), Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("\r\n--b\r\nContent-Disposition: form-data; name=x\r\n\r\n", 1001))), Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("a=&", 1001))),
    ];

    [Fact]
    public void The_multipart_reader_finds_parts_in_the_body_or_refuses_it() =>
        FuzzRun.Run(3000, random =>
        {
            var body = Changed(random, Bodies, always: true);
            var type = Encoding.Latin1.GetString(Changed(random, Types, always: false));
            try
            {
                var form = new MultipartReader(body, MultipartReader.BoundaryOf(type));
                var from = 0;
                while (form.Read(out var part))
                {
                    // In their order, each with its name, none reaching into the next.
                    Assert.InRange(part.Offset, from, body.Length);
                    Assert.InRange(part.Length, 0, body.Length - part.Offset);
                    Assert.NotNull(part.Name);
                    from = part.Offset + part.Length;
                }

                Assert.False(form.Read(out _));
            }
            catch (BadRequestException error)
            {
                AssertClear(error);
            }
        });

    [Fact]
    public void A_body_becomes_a_request_that_a_worker_understands_or_is_refused() =>
        FuzzRun.Run(3000, random =>
        {
            var context = new DefaultHttpContext();
            context.Request.ContentType = Encoding.Latin1.GetString(Changed(random, Types, always: false));
            context.Request.QueryString = new QueryString(random.Next(3) switch { 0 => "?model_name=q", 1 => "?a=1&a=&=&b=%C3%A4", _ => "" });
            var body = Changed(random, Bodies, always: true);
            var payload = RequestPayload.Rent(body.Length);
            body.CopyTo(payload.GetSpan(body.Length));
            payload.Advance(body.Length);
            try
            {
                RequestParts.Complete(context.Request, ref payload, random.Next(2) == 0 ? InferenceRoute.Invocations : InferenceRoute.Plain, out _);
                AssertUnderstood(payload);
            }
            catch (BadRequestException error)
            {
                AssertClear(error);
            }
            finally
            {
                payload.Release();
            }
        });

    // As the worker reads it (docs/worker-protocol.md, Run), which believes nothing.
    private static void AssertUnderstood(RequestPayload payload)
    {
        var frame = new byte[24];
        frame[8] = 1;
        BinaryPrimitives.WriteUInt16LittleEndian(frame.AsSpan(14), payload.Headers);
        BinaryPrimitives.WriteUInt16LittleEndian(frame.AsSpan(16), payload.Parts);
        BinaryPrimitives.WriteInt32LittleEndian(frame.AsSpan(20), payload.Head.Length);
        byte[] whole = [.. frame, .. payload.Head.Span, .. payload.Body.Span];
        var run = RunFrame.Parse(whole, isShared: false);
        List<(string Name, string ContentType, int Offset, int Length)> parts = [];
        run.ReadHeaders([]);
        run.ReadParts(parts);
        Assert.Equal(payload.Parts, parts.Count);
        Assert.True(whole.AsSpan(run.PayloadOffset).SequenceEqual(payload.Body.Span));
    }

    private static void AssertClear(BadRequestException error)
    {
        Assert.Equal(400, error.Status);
        Assert.InRange(error.Message.Length, 10, 10_000);
    }

    private static byte[] Changed(Random random, byte[][] seeds, bool always)
    {
        var seed = seeds[random.Next(seeds.Length)];
        return always || random.Next(3) == 0 ? Mutator.Mutate(random, seed, seeds[random.Next(seeds.Length)], Words) : seed;
    }

    private static byte[] Form(string boundary, params (string Disposition, string? Type, string Content)[] parts)
    {
        var text = new StringBuilder();
        foreach (var (disposition, type, content) in parts)
        {
            text.Append($"--{boundary}\r\nContent-Disposition: {disposition}\r\n");
            if (type is not null) text.Append($"Content-Type: {type}\r\n");
            text.Append($"\r\n{content}\r\n");
        }

        return Encoding.UTF8.GetBytes(text.Append($"--{boundary}--\r\n").ToString());
    }
}
