using System.Buffers;
using System.Globalization;
using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Models;

namespace Serve.Frontend.OpenInference.Infer;

/// <summary>Writes an answer as REST has it: JSON, and behind it the tensors that were asked for as binary, from where the worker's answer has them.</summary>
internal static class RestAnswer
{
    private const int ChunkBytes = 64 << 10;

    /// <summary>Writes it.</summary>
    /// <returns>The bytes of the body.</returns>
    public static async ValueTask<int> WriteAsync(HttpContext context, TensorRequest request, ModelVersion version, InferenceResponse answer, List<AnswerTensor> tensors)
    {
        using var json = new PooledBuffer(JsonCapacity(request, tensors));
        AnswerJsonWriter.Write(json, request, version.Name, version.Version, answer.Headers, tensors);
        var binaryBytes = 0L;
        var hasBinary = false;
        foreach (var tensor in tensors)
        {
            if (!request.IsBinary(tensor.Requested)) continue;
            hasBinary = true;
            binaryBytes += tensor.Data.Length;
        }

        var response = context.Response;
        response.StatusCode = StatusCodes.Status200OK;
        response.ContentType = hasBinary ? "application/octet-stream" : "application/json";
        if (hasBinary) response.Headers[RestBody.LengthHeader] = json.Length.ToString(CultureInfo.InvariantCulture);
        var coding = ContentCodings.ForAnswer(context.Request.Headers.AcceptEncoding);
        if (coding != ContentCoding.Identity) return await WriteCompressedAsync(context, coding, request, json, tensors);

        var bytes = checked((int)(json.Length + binaryBytes));
        response.ContentLength = bytes;
        if (bytes <= ChunkBytes)
        {
            // Not flushed: the server does it at the end of the request, together with the headers.
            response.BodyWriter.Write(json.Written.Span);
            foreach (var tensor in tensors) if (request.IsBinary(tensor.Requested)) response.BodyWriter.Write(tensor.Data.Span);
            return bytes;
        }

        await WriteChunksAsync(context, json.Written);
        foreach (var tensor in tensors) if (request.IsBinary(tensor.Requested)) await WriteChunksAsync(context, tensor.Data);
        return bytes;
    }

    private static async ValueTask<int> WriteCompressedAsync(HttpContext context, ContentCoding coding, TensorRequest request, PooledBuffer json, List<AnswerTensor> tensors)
    {
        using var packed = new PooledBuffer(ChunkBytes);
        using (var packing = ContentCodings.Compress(new PooledBufferStream(packed), coding))
        {
            packing.Write(json.Written.Span);
            foreach (var tensor in tensors) if (request.IsBinary(tensor.Requested)) packing.Write(tensor.Data.Span);
        }

        context.Response.Headers.ContentEncoding = ContentCodings.NameOf(coding);
        context.Response.ContentLength = packed.Length;
        await WriteChunksAsync(context, packed.Written);
        return packed.Length;
    }

    // In pieces, so that a slow client holds back the copying and not another copy of the whole answer.
    private static async ValueTask WriteChunksAsync(HttpContext context, ReadOnlyMemory<byte> bytes)
    {
        for (var at = 0; at < bytes.Length; at += ChunkBytes)
        {
            var written = await context.Response.BodyWriter.WriteAsync(bytes.Slice(at, Math.Min(ChunkBytes, bytes.Length - at)), context.RequestAborted);

            // Kestrel takes what is written after the end of a connection without a word, and cancels the request a moment later.
            if (written.IsCompleted) throw new ClientGoneException();
        }
    }

    // An element takes about three times as many letters as it has bytes.
    private static int JsonCapacity(TensorRequest request, List<AnswerTensor> tensors)
    {
        var bytes = 512L;
        foreach (var tensor in tensors) bytes += 256 + (request.IsBinary(tensor.Requested) ? 0 : 3L * tensor.Data.Length);
        return (int)Math.Min(bytes, 64 << 20);
    }

    private sealed class PooledBufferStream(PooledBuffer buffer) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => buffer.Length;

        public override long Position
        {
            get => buffer.Length;
            set => throw new NotSupportedException();
        }

        public override void Write(ReadOnlySpan<byte> bytes) => BuffersExtensions.Write(buffer, bytes);

        public override void Write(byte[] bytes, int offset, int count) => Write(bytes.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override int Read(byte[] bytes, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
